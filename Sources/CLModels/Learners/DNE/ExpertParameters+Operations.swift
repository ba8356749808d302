internal import Tensor

extension ExpertTree.Linear {
  func forward(_ x: Matrix<Float>) -> Matrix<Float> { LinearMap.forward(x, weights: weights, bias: bias) }

  /// The gradient of the input.
  func backward(_ gradient: Matrix<Float>) -> Matrix<Float> { gradient.times(weights) }

  /// Adds the gradient of the weights and the bias.
  mutating func add(_ gradient: Matrix<Float>, input: Matrix<Float>) {
    weights.addProduct(gradient, input)
    bias.add(gradient.columnSums())
  }
}

extension ExpertTree.Norm {
  typealias Saved = LayerNormalization.Saved<Float>

  func forward(_ x: Matrix<Float>) -> (output: Matrix<Float>, saved: Saved) {
    LayerNormalization.forward(x, gain: gain, bias: bias, epsilon: ExpertBlock.epsilon)
  }

  /// The gradient of the input; that of gain and bias is added to `sums`.
  func backward<Other>(
    _ gradient: Matrix<Float>, saved: Saved, adding sums: inout ExpertTree<Other>.Norm
  ) -> Matrix<Float> {
    let result = LayerNormalization.backward(gradient, saved: saved, gain: gain)
    sums.gain.add(result.gain)
    sums.bias.add(result.bias)
    return result.input
  }
}

extension Matrix where Scalar == Float {
  func adding(_ other: Matrix) -> Matrix {
    var result = self
    result.add(other)
    return result
  }

  /// Adds the rows of `other` to every `step`th row, from the first on.
  mutating func add(_ other: Matrix, every step: Int = 1) {
    precondition(other.columns == columns && (other.rows - 1) * step < rows, "rows of one width")
    let columns = columns
    storage.withUnsafeMutableBufferPointer { elements in
      other.storage.withUnsafeBufferPointer { others in
        for row in 0..<other.rows {
          let (target, source) = (row * step * columns, row * columns)
          for column in 0..<columns { elements[target + column] += others[source + column] }
        }
      }
    }
  }

  /// Adds a^T b, with a `[k, rows]` and b `[k, columns]`.
  mutating func addProduct(_ a: Matrix, _ b: Matrix) {
    precondition(a.columns == rows && b.columns == columns && a.rows == b.rows, "a^T b of this shape")
    let (rows, columns) = (rows, columns)
    storage.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      Float.multiply(
        .columnsColumns, rows, columns, a.rows, alpha: 1, a.storage, a.columns, b.storage, b.columns, beta: 1, out,
        columns)
    }
  }
}

extension [Float] {
  /// Adds number by number.
  mutating func add(_ other: [Float]) {
    precondition(count == other.count, "as many numbers")
    withUnsafeMutableBufferPointer { elements in
      other.withUnsafeBufferPointer { others in
        for index in others.indices { elements[index] += others[index] }
      }
    }
  }
}
