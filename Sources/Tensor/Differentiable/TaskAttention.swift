/// The mixing of all experts' heads, token by token (Hu et al. 2023: the task attention block of dense network
/// expansion): inputs of old heads `[rows, oldHeads * inputWidth]` and of new ones `[rows, newHeads * inputWidth]` to
/// `[rows, newHeads * outputWidth]`.
///
/// For a token with heads x_j, old and new, and a new head n: A[n, j] = lambda softmax_j((W_q x_n) . (W_k x_j) /
/// sqrt(inputWidth)) and y_n = sum_j A[n, j] (V_j x_j + b_j). Old inputs are constants.
package enum TaskAttention {
  /// What a task attention learns, or the gradient of it: heads (in out + out) + 2 in^2 + 1 numbers.
  package struct Parameters<Scalar: KernelScalar>: Sendable {
    /// W_q and W_k, `[inputWidth, inputWidth]`: of all heads alike.
    package var query: Matrix<Scalar>
    package var key: Matrix<Scalar>
    /// V_j side by side, old heads first, `[outputWidth, heads * inputWidth]`: of all new heads alike.
    package var values: Matrix<Scalar>
    /// b_j, `[heads, outputWidth]`.
    package var biases: Matrix<Scalar>
    /// lambda.
    package var scale: Scalar

    package init(
      query: Matrix<Scalar>, key: Matrix<Scalar>, values: Matrix<Scalar>, biases: Matrix<Scalar>, scale: Scalar
    ) {
      self.query = query
      self.key = key
      self.values = values
      self.biases = biases
      self.scale = scale
    }
  }

  /// Parameters as they are computed with: of W_q and W_k only their product is read, which many calls can share.
  package struct Prepared<Scalar: KernelScalar>: Sendable {
    package let parameters: Parameters<Scalar>
    /// W_q^T W_k / sqrt(inputWidth), `[inputWidth, inputWidth]`.
    let product: Matrix<Scalar>

    package init(_ parameters: Parameters<Scalar>) {
      self.parameters = parameters
      product = TaskAttention.product(.columnsColumns, parameters.query, parameters.key)
    }
  }

  /// The gradient of prepared parameters, to which calls add theirs.
  package struct Gradient<Scalar: KernelScalar>: Sendable {
    var product: Matrix<Scalar>
    var values: Matrix<Scalar>
    var biases: Matrix<Scalar>
    var scale: Scalar = 0

    /// Zeros.
    package init(of parameters: Parameters<Scalar>) {
      product = Matrix(rows: parameters.query.rows, columns: parameters.query.columns)
      values = Matrix(rows: parameters.values.rows, columns: parameters.values.columns)
      biases = Matrix(rows: parameters.biases.rows, columns: parameters.biases.columns)
    }

    /// That of the parameters themselves: of M = W_q^T W_k / sqrt(inputWidth), dW_q = W_k dM^T / sqrt(inputWidth) and
    /// dW_k = W_q dM / sqrt(inputWidth).
    package func passedBack(to parameters: Parameters<Scalar>) -> Parameters<Scalar> {
      Parameters(
        query: TaskAttention.product(.rowsRows, parameters.key, product),
        key: TaskAttention.product(.rowsColumns, parameters.query, product), values: values, biases: biases,
        scale: scale)
    }
  }

  /// a b / sqrt(inputWidth) of square matrices of that side.
  private static func product<Scalar: KernelScalar>(
    _ order: ProductOrder, _ a: Matrix<Scalar>, _ b: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    let side = a.rows
    var result = Matrix<Scalar>(rows: side, columns: side)
    Scalar.multiply(
      order, side, side, side, alpha: 1 / Scalar(side).squareRoot(), a.storage, side, b.storage, side, beta: 0,
      &result.storage, side)
    return result
  }

  /// What one new head leaves for the way back.
  package struct SavedHead<Scalar: KernelScalar>: Sendable {
    /// u = W_k^T W_q x_n / sqrt(inputWidth), `[rows, inputWidth]`: scores are its products with x_j.
    let directions: Matrix<Scalar>
    /// softmax_j, `[rows, heads]`.
    let probabilities: Matrix<Scalar>
  }

  /// What a forward pass leaves for the way back.
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// V_j x_j, `[rows, heads * outputWidth]`.
    let values: Matrix<Scalar>
    let newHeads: [SavedHead<Scalar>]
  }

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    old: Matrix<Scalar>, new: Matrix<Scalar>, parameters: Parameters<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    forward(old: old, new: new, prepared: Prepared(parameters))
  }

  /// `yield` is called after the values and after every new head.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    old: Matrix<Scalar>, new: Matrix<Scalar>, prepared: Prepared<Scalar>, yield: () -> Void = {}
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let parameters = prepared.parameters
    let shape = Shape(old: old, new: new, parameters: parameters)
    let values = shape.values(old, new, parameters.values)
    yield()
    var output = Matrix<Scalar>(rows: new.rows, columns: shape.newHeads * shape.outputWidth)
    var saved: [SavedHead<Scalar>] = []
    for head in 0..<shape.newHeads {
      let directions = shape.head(head, of: new).times(prepared.product)
      let probabilities = Softmax.forward(shape.scores(directions, old, new))
      let weights = probabilities.mapElements { $0 * parameters.scale }
      shape.addSum(of: values, by: weights, to: &output, head: head)
      shape.add(weights, .rowsColumns, parameters.biases, keep: 1, to: &output, column: head * shape.outputWidth)
      saved.append(SavedHead(directions: directions, probabilities: probabilities))
      yield()
    }
    return (output, Saved(values: values, newHeads: saved))
  }

  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: Matrix<Scalar>, new: Matrix<Scalar>, parameters: Parameters<Scalar>,
    saved: Saved<Scalar>
  ) -> (new: Matrix<Scalar>, parameters: Parameters<Scalar>) {
    var sums = Gradient(of: parameters)
    let newGradient = backward(
      gradient, old: old, new: new, prepared: Prepared(parameters), saved: saved, adding: &sums)
    return (newGradient, sums.passedBack(to: parameters))
  }

  /// Of each new head n, with w_n = lambda p_n its weights and v_j = V_j x_j: dw_nj = dy_n . (v_j + b_j), db += w_n^T
  /// dy_n, dV_j += dy_n^T (w_nj x_j), dlambda = sum(dw p); ds by the softmax, the new inputs get ds_nj u; with u = x_n M:
  /// du = sum_j ds_nj x_j, dM += x_n^T du and x_n gets du M^T. Of all together the new inputs get dv_j V_j with dv_j =
  /// sum_n w_nj dy_n. `yield` is called after every new head and after the values.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: Matrix<Scalar>, new: Matrix<Scalar>, prepared: Prepared<Scalar>,
    saved: Saved<Scalar>, adding sums: inout Gradient<Scalar>, yield: () -> Void = {}
  ) -> Matrix<Scalar> {
    let parameters = prepared.parameters
    let shape = Shape(old: old, new: new, parameters: parameters)
    precondition(
      gradient.rows == new.rows && gradient.columns == shape.newHeads * shape.outputWidth
        && saved.newHeads.count == shape.newHeads, "a gradient of what the forward pass returned")
    var newGradient = Matrix<Scalar>(rows: new.rows, columns: new.columns)
    var valueGradient = Matrix<Scalar>(rows: new.rows, columns: shape.newHeads * shape.outputWidth)
    for (head, own) in saved.newHeads.enumerated() {
      let dy = shape.output(head, of: gradient)
      let weights = own.probabilities.mapElements { $0 * parameters.scale }
      shape.add(weights, .columnsColumns, dy, keep: 1, to: &sums.biases, column: 0)
      // One product of all heads, each times its weight, instead of one a head.
      shape.add(dy, .columnsColumns, shape.scaled(old, new, by: weights), keep: 1, to: &sums.values, column: 0)
      let weightGradient = dy.timesTransposed(parameters.biases).mapElements(with: shape.products(dy, saved.values)) {
        $0 + $1
      }
      for index in weightGradient.storage.indices {
        sums.scale += weightGradient.storage[index] * own.probabilities.storage[index]
      }
      let scoreGradient = Softmax.backward(
        weightGradient.mapElements { $0 * parameters.scale }, output: own.probabilities)
      shape.addToNew(own.directions, scoreGradient, to: &newGradient)
      let directionGradient = shape.sum(old, new, by: scoreGradient)
      let input = shape.head(head, of: new)
      shape.add(input, .columnsColumns, directionGradient, keep: 1, to: &sums.product, column: 0)
      shape.add(
        directionGradient, .rowsRows, prepared.product, keep: 1, to: &newGradient, column: head * shape.inputWidth)
      shape.spread(dy, by: weights, to: &valueGradient)
      yield()
    }
    shape.passBack(valueGradient, parameters.values, to: &newGradient)
    yield()
    return newGradient
  }
}
