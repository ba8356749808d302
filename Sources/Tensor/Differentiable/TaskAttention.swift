/// The mixing of all experts' heads, token by token (Hu et al. 2023: the task attention block of dense network
/// expansion): inputs of old heads `[rows, oldHeads * inputWidth]` and of new ones `[rows, newHeads * inputWidth]` to
/// `[rows, newHeads * outputWidth]`.
///
/// For a token with heads x_j, old and new, and a new head n: A[n, j] = lambda softmax_j((W_q x_n) . (W_k x_j) /
/// sqrt(inputWidth)) and y_n = sum_j A[n, j] (V_j x_j + b_j). Old inputs are constants.
package enum TaskAttention {
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

    /// How many numbers there are: heads (in out + out) + 2 in^2 + 1.
    package static func count(heads: Int, inputWidth: Int, outputWidth: Int) -> Int {
      heads * (inputWidth * outputWidth + outputWidth) + 2 * inputWidth * inputWidth + 1
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

  package typealias Saved<Scalar: KernelScalar> = [SavedHead<Scalar>]

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    old: Matrix<Scalar>, new: Matrix<Scalar>, parameters: Parameters<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    forward(old: old, new: new, prepared: Prepared(parameters))
  }

  /// `yield` is called after every new head.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    old: Matrix<Scalar>, new: Matrix<Scalar>, prepared: Prepared<Scalar>, yield: () -> Void = {}
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let parameters = prepared.parameters
    let shape = Shape(old: old, new: new, parameters: parameters)
    var output = Matrix<Scalar>(rows: new.rows, columns: shape.newHeads * shape.outputWidth)
    var saved: Saved<Scalar> = []
    for head in 0..<shape.newHeads {
      let directions = shape.head(head, of: new).times(prepared.product)
      let probabilities = Softmax.forward(shape.scores(directions, old, new))
      let weights = probabilities.mapElements { $0 * parameters.scale }
      // The heads' values are added up by one product: of the heads, each times its weight, with all V_j.
      let scaled = shape.scaled(old, new, by: weights)
      shape.add(scaled, .rowsRows, parameters.values, keep: 0, to: &output, column: head * shape.outputWidth)
      shape.add(weights, .rowsColumns, parameters.biases, keep: 1, to: &output, column: head * shape.outputWidth)
      saved.append(SavedHead(directions: directions, probabilities: probabilities))
      yield()
    }
    return (output, saved)
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

  /// Of each new head, with w = lambda p its weights and X the heads: dV += dy^T (w X), db += w^T dy,
  /// dw_j = (dy V_j) . x_j + dy . b_j, dlambda = sum(dw p); ds by the softmax, the new inputs get w_j dy V_j and
  /// ds_j u; with u = x_n M: du = sum_j ds_j x_j, dM += x_n^T du and x_n gets du M^T. `yield` is called twice a new head.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: Matrix<Scalar>, new: Matrix<Scalar>, prepared: Prepared<Scalar>,
    saved: Saved<Scalar>, adding sums: inout Gradient<Scalar>, yield: () -> Void = {}
  ) -> Matrix<Scalar> {
    let parameters = prepared.parameters
    let shape = Shape(old: old, new: new, parameters: parameters)
    var newGradient = Matrix<Scalar>(rows: new.rows, columns: new.columns)
    for (head, saved) in saved.enumerated() {
      let dy = gradient.selectingColumns([head * shape.outputWidth..<(head + 1) * shape.outputWidth])
      let weights = saved.probabilities.mapElements { $0 * parameters.scale }
      shape.add(dy, .columnsColumns, shape.scaled(old, new, by: weights), keep: 1, to: &sums.values, column: 0)
      shape.add(weights, .columnsColumns, dy, keep: 1, to: &sums.biases, column: 0)
      yield()
      let passed = dy.times(parameters.values)
      let own = shape.dots(passed, old, new)
      let weightGradient = dy.timesTransposed(parameters.biases).mapElements(with: own) { $0 + $1 }
      for index in weightGradient.storage.indices {
        sums.scale += weightGradient.storage[index] * saved.probabilities.storage[index]
      }
      let scoreGradient = Softmax.backward(
        weightGradient.mapElements { $0 * parameters.scale }, output: saved.probabilities)
      shape.addToNew(passed, weights, saved.directions, scoreGradient, to: &newGradient)
      let directionGradient = shape.sum(old, new, by: scoreGradient)
      let input = shape.head(head, of: new)
      shape.add(input, .columnsColumns, directionGradient, keep: 1, to: &sums.product, column: 0)
      shape.add(
        directionGradient, .rowsRows, prepared.product, keep: 1, to: &newGradient, column: head * shape.inputWidth)
      yield()
    }
    return newGradient
  }
}

extension TaskAttention {
  /// How many heads of what widths, and the loops over them.
  private struct Shape {
    let inputWidth: Int
    let outputWidth: Int
    let oldHeads: Int
    let newHeads: Int
    var heads: Int { oldHeads + newHeads }

    init<Scalar: KernelScalar>(old: Matrix<Scalar>, new: Matrix<Scalar>, parameters: Parameters<Scalar>) {
      inputWidth = parameters.query.columns
      outputWidth = parameters.values.rows
      oldHeads = old.columns / inputWidth
      newHeads = new.columns / inputWidth
      precondition(old.rows == new.rows, "one row of old and of new heads a token")
      precondition(
        old.columns == oldHeads * inputWidth && new.columns == newHeads * inputWidth, "heads of one width")
      precondition(
        parameters.values.columns == (oldHeads + newHeads) * inputWidth
          && parameters.biases.rows == oldHeads + newHeads && parameters.biases.columns == outputWidth,
        "values and a bias a head")
    }

    func head<Scalar: KernelScalar>(_ head: Int, of new: Matrix<Scalar>) -> Matrix<Scalar> {
      newHeads == 1 ? new : new.selectingColumns([head * inputWidth..<(head + 1) * inputWidth])
    }

    /// target's columns from `column` on = a b + keep times what they were.
    func add<Scalar: KernelScalar>(
      _ a: Matrix<Scalar>, _ order: ProductOrder, _ b: Matrix<Scalar>, keep: Scalar, to target: inout Matrix<Scalar>,
      column: Int
    ) {
      let m = order == .columnsColumns ? a.columns : a.rows
      let k = order == .columnsColumns ? a.rows : a.columns
      let n = order == .rowsRows ? b.rows : b.columns
      let stride = target.columns
      target.storage.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress, k > 0 else { return }
        Scalar.multiply(
          order, m, n, k, alpha: 1, a.storage, a.columns, b.storage, b.columns, beta: keep, out + column, stride)
      }
    }

    /// u `[rows, inputWidth]` with every head, `[rows, heads]`.
    func scores<Scalar: KernelScalar>(
      _ u: Matrix<Scalar>, _ old: Matrix<Scalar>, _ new: Matrix<Scalar>
    ) -> Matrix<Scalar> {
      var result = Matrix<Scalar>(rows: new.rows, columns: heads)
      result.storage.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress else { return }
        Scalar.headScores(
          old.rows, oldHeads, inputWidth, u.storage, inputWidth, old.storage, old.columns, out, heads)
        Scalar.headScores(
          new.rows, newHeads, inputWidth, u.storage, inputWidth, new.storage, new.columns, out + oldHeads, heads)
      }
      return result
    }

    /// Every head times its weight, `[rows, heads * inputWidth]`.
    func scaled<Scalar: KernelScalar>(
      _ old: Matrix<Scalar>, _ new: Matrix<Scalar>, by weights: Matrix<Scalar>
    ) -> Matrix<Scalar> {
      let stride = heads * inputWidth
      let storage = [Scalar](unsafeUninitializedCapacity: new.rows * stride) { out, count in
        weights.storage.withUnsafeBufferPointer { weights in
          guard let out = out.baseAddress, let weights = weights.baseAddress else { return }
          Scalar.scaleHeads(
            old.rows, oldHeads, inputWidth, weights, heads, old.storage, old.columns, out, stride)
          Scalar.scaleHeads(
            new.rows, newHeads, inputWidth, weights + oldHeads, heads, new.storage, new.columns, out + old.columns,
            stride)
        }
        count = new.rows * stride
      }
      return Matrix(rows: new.rows, columns: stride, storage: storage)
    }

    /// y `[rows, heads * inputWidth]` with the heads, head by head, `[rows, heads]`.
    func dots<Scalar: KernelScalar>(
      _ y: Matrix<Scalar>, _ old: Matrix<Scalar>, _ new: Matrix<Scalar>
    ) -> Matrix<Scalar> {
      var result = Matrix<Scalar>(rows: new.rows, columns: heads)
      result.storage.withUnsafeMutableBufferPointer { out in
        y.storage.withUnsafeBufferPointer { y in
          guard let out = out.baseAddress, let y = y.baseAddress else { return }
          let stride = heads * inputWidth
          Scalar.headDots(old.rows, oldHeads, inputWidth, y, stride, old.storage, old.columns, out, heads)
          Scalar.headDots(
            new.rows, newHeads, inputWidth, y + old.columns, stride, new.storage, new.columns, out + oldHeads, heads)
        }
      }
      return result
    }

    /// The heads times their factors, added up, `[rows, inputWidth]`.
    func sum<Scalar: KernelScalar>(
      _ old: Matrix<Scalar>, _ new: Matrix<Scalar>, by factors: Matrix<Scalar>
    ) -> Matrix<Scalar> {
      var result = Matrix<Scalar>(rows: new.rows, columns: inputWidth)
      result.storage.withUnsafeMutableBufferPointer { out in
        factors.storage.withUnsafeBufferPointer { factors in
          guard let out = out.baseAddress, let factors = factors.baseAddress else { return }
          Scalar.sumHeads(
            old.rows, oldHeads, inputWidth, factors, heads, old.storage, old.columns, out, inputWidth)
          Scalar.sumHeads(
            new.rows, newHeads, inputWidth, factors + oldHeads, heads, new.storage, new.columns, out, inputWidth)
        }
      }
      return result
    }

    /// gradient[r][n] += weights[r][n] passed[r][n] + scoreGradient[r][n] u[r] for every new head n.
    func addToNew<Scalar: KernelScalar>(
      _ passed: Matrix<Scalar>, _ weights: Matrix<Scalar>, _ u: Matrix<Scalar>, _ scoreGradient: Matrix<Scalar>,
      to gradient: inout Matrix<Scalar>
    ) {
      let stride = gradient.columns
      gradient.storage.withUnsafeMutableBufferPointer { out in
        passed.storage.withUnsafeBufferPointer { passed in
          guard let out = out.baseAddress, let passed = passed.baseAddress else { return }
          for head in 0..<newHeads {
            weights.storage.withUnsafeBufferPointer {
              guard let base = $0.baseAddress else { return }
              Scalar.sumHeads(
                u.rows, 1, inputWidth, base + oldHeads + head, heads, passed + (oldHeads + head) * inputWidth,
                heads * inputWidth, out + head * inputWidth, stride)
            }
            scoreGradient.storage.withUnsafeBufferPointer {
              guard let base = $0.baseAddress else { return }
              Scalar.sumHeads(
                u.rows, 1, inputWidth, base + oldHeads + head, heads, u.storage, inputWidth, out + head * inputWidth,
                stride)
            }
          }
        }
      }
    }
  }
}
