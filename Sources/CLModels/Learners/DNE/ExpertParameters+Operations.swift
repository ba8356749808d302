internal import Tensor

extension ExpertParameters.Linear {
  func forward(_ x: Matrix<Float>) -> Matrix<Float> { LinearMap.forward(x, weights: weights, bias: bias) }

  /// The gradient of the input; that of the parameters is added to `sums`.
  func backward(_ gradient: Matrix<Float>, input: Matrix<Float>, adding sums: inout Self) -> Matrix<Float> {
    sums.add(gradient, input: input)
    return gradient.times(weights)
  }

  /// Adds the parameters' gradient alone.
  mutating func add(_ gradient: Matrix<Float>, input: Matrix<Float>) {
    weights.addProduct(gradient, input)
    bias.add(gradient.columnSums())
  }
}

extension ExpertParameters.Norm {
  func forward(_ x: Matrix<Float>) -> (output: Matrix<Float>, saved: LayerNormalization.Saved<Float>) {
    LayerNormalization.forward(x, gain: gain, bias: bias, epsilon: ExpertBlock.epsilon)
  }

  /// The gradient of the input; that of the parameters is added to `sums`.
  func backward(
    _ gradient: Matrix<Float>, saved: LayerNormalization.Saved<Float>, adding sums: inout Self
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
    result.addRows(other)
    return result
  }

  /// Adds `other` to the first rows.
  mutating func addRows(_ other: Matrix) {
    precondition(other.columns == columns && other.rows <= rows, "rows of one width")
    storage.add(other.storage)
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
  /// Adds to the first elements.
  mutating func add(_ other: [Float]) {
    withUnsafeMutableBufferPointer { elements in
      other.withUnsafeBufferPointer { others in
        for index in others.indices { elements[index] += others[index] }
      }
    }
  }
}
