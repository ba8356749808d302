/// `[rows, width]` to `[rows, width]`: y = x / |x|, row by row. A row of zeros stays, and gets no gradient.
package enum UnitLength {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    package let output: Matrix<Scalar>
    /// |x| of every row, `[rows]`.
    package let lengths: [Scalar]
  }

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let width = x.columns
    var output = x
    var lengths = [Scalar](repeating: 0, count: x.rows)
    output.storage.withUnsafeMutableBufferPointer { y in
      for row in 0..<lengths.count {
        let base = row * width
        var square: Scalar = 0
        for column in 0..<width { square += y[base + column] * y[base + column] }
        let length = square.squareRoot()
        lengths[row] = length
        guard length > 0 else { continue }
        for column in 0..<width { y[base + column] /= length }
      }
    }
    return (output, Saved(output: output, lengths: lengths))
  }

  /// dx = (dy - (dy . y) y) / |x|: what points along the row does not change its direction.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, saved: Saved<Scalar>
  ) -> Matrix<Scalar> {
    let width = gradient.columns
    var result = gradient
    result.storage.withUnsafeMutableBufferPointer { dx in
      saved.output.storage.withUnsafeBufferPointer { y in
        for (row, length) in saved.lengths.enumerated() {
          let base = row * width
          var along: Scalar = 0
          for column in 0..<width { along += dx[base + column] * y[base + column] }
          for column in 0..<width {
            dx[base + column] = length > 0 ? (dx[base + column] - along * y[base + column]) / length : 0
          }
        }
      }
    }
    return result
  }
}
