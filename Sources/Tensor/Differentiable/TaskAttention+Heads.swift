extension TaskAttention {
  /// How many heads of what widths, and the loops over them.
  struct Shape {
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
      precondition(
        [parameters.query, parameters.key].allSatisfy { $0.rows == inputWidth && $0.columns == inputWidth },
        "square queries and keys")
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

    /// The columns of one new head in outputs.
    func output<Scalar: KernelScalar>(_ head: Int, of y: Matrix<Scalar>) -> Matrix<Scalar> {
      newHeads == 1 ? y : y.selectingColumns([head * outputWidth..<(head + 1) * outputWidth])
    }

    /// Calls with every head's input and how far its rows are apart.
    private func forEachHead<Scalar: KernelScalar>(
      _ old: Matrix<Scalar>, _ new: Matrix<Scalar>,
      _ body: (_ head: Int, _ x: UnsafePointer<Scalar>, _ stride: Int) -> Void
    ) {
      for (x, first) in [(old, 0), (new, oldHeads)] {
        x.storage.withUnsafeBufferPointer {
          guard let base = $0.baseAddress else { return }
          for head in 0..<x.columns / inputWidth { body(first + head, base + head * inputWidth, x.columns) }
        }
      }
    }

    /// V_j x_j of every head, `[rows, heads * outputWidth]`.
    func values<Scalar: KernelScalar>(
      _ old: Matrix<Scalar>, _ new: Matrix<Scalar>, _ v: Matrix<Scalar>
    ) -> Matrix<Scalar> {
      let stride = heads * outputWidth
      let storage = [Scalar](unsafeUninitializedCapacity: new.rows * stride) { out, count in
        v.storage.withUnsafeBufferPointer { v in
          guard let out = out.baseAddress, let v = v.baseAddress else { return }
          forEachHead(old, new) { head, x, ldx in
            Scalar.multiply(
              .rowsRows, new.rows, outputWidth, inputWidth, alpha: 1, x, ldx, v + head * inputWidth,
              heads * inputWidth, beta: 0, out + head * outputWidth, stride)
          }
        }
        count = new.rows * stride
      }
      return Matrix(rows: new.rows, columns: stride, storage: storage)
    }

    /// A new head's output += the heads' values times their weights.
    func addSum<Scalar: KernelScalar>(
      of values: Matrix<Scalar>, by weights: Matrix<Scalar>, to output: inout Matrix<Scalar>, head: Int
    ) {
      let stride = output.columns
      output.storage.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress else { return }
        Scalar.sumHeads(
          values.rows, heads, outputWidth, weights.storage, heads, values.storage, values.columns,
          out + head * outputWidth, stride)
      }
    }

    /// dy `[rows, outputWidth]` with every head's values, `[rows, heads]`.
    func products<Scalar: KernelScalar>(_ dy: Matrix<Scalar>, _ values: Matrix<Scalar>) -> Matrix<Scalar> {
      var result = Matrix<Scalar>(rows: dy.rows, columns: heads)
      result.storage.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress else { return }
        Scalar.headScores(
          dy.rows, heads, outputWidth, dy.storage, outputWidth, values.storage, values.columns, out, heads)
      }
      return result
    }

    /// The gradient of the new heads' values, `[rows, newHeads * outputWidth]`, += dy times their weights.
    func spread<Scalar: KernelScalar>(
      _ dy: Matrix<Scalar>, by weights: Matrix<Scalar>, to valueGradient: inout Matrix<Scalar>
    ) {
      let stride = valueGradient.columns
      valueGradient.storage.withUnsafeMutableBufferPointer { out in
        weights.storage.withUnsafeBufferPointer { weights in
          guard let out = out.baseAddress, let weights = weights.baseAddress else { return }
          for head in 0..<newHeads {
            Scalar.sumHeads(
              dy.rows, 1, outputWidth, weights + oldHeads + head, heads, dy.storage, outputWidth,
              out + head * outputWidth, stride)
          }
        }
      }
    }

    /// Every new head's input gradient += dv_j V_j.
    func passBack<Scalar: KernelScalar>(
      _ valueGradient: Matrix<Scalar>, _ v: Matrix<Scalar>, to gradient: inout Matrix<Scalar>
    ) {
      let stride = gradient.columns
      gradient.storage.withUnsafeMutableBufferPointer { out in
        valueGradient.storage.withUnsafeBufferPointer { dv in
          v.storage.withUnsafeBufferPointer { v in
            guard let out = out.baseAddress, let dv = dv.baseAddress, let v = v.baseAddress else { return }
            for head in 0..<newHeads {
              Scalar.multiply(
                .rowsColumns, valueGradient.rows, inputWidth, outputWidth, alpha: 1,
                dv + head * outputWidth, newHeads * outputWidth, v + (oldHeads + head) * inputWidth,
                heads * inputWidth, beta: 1, out + head * inputWidth, stride)
            }
          }
        }
      }
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

    /// gradient[r][n] += scoreGradient[r][n] u[r] for every new head n.
    func addToNew<Scalar: KernelScalar>(
      _ u: Matrix<Scalar>, _ scoreGradient: Matrix<Scalar>, to gradient: inout Matrix<Scalar>
    ) {
      let stride = gradient.columns
      gradient.storage.withUnsafeMutableBufferPointer { out in
        scoreGradient.storage.withUnsafeBufferPointer {
          guard let out = out.baseAddress, let base = $0.baseAddress else { return }
          for head in 0..<newHeads {
            Scalar.sumHeads(
              u.rows, 1, inputWidth, base + oldHeads + head, heads, u.storage, inputWidth, out + head * inputWidth,
              stride)
          }
        }
      }
    }
  }
}
