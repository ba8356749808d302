/// `[rows, width]` to `[rows, width]`: y = gain (x - mean) / sqrt(variance + epsilon) + bias, each row with its own mean
/// and (biased) variance, gain and bias `[width]` (Ba, Kiros and Hinton 2016; the backward pass as in llm.c).
package enum LayerNormalization {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// (x - mean) / sqrt(variance + epsilon), `[rows, width]`.
    package let normalized: Matrix<Scalar>
    /// 1 / sqrt(variance + epsilon), `[rows]`.
    package let inverseDeviations: [Scalar]
  }

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, gain: [Scalar], bias: [Scalar], epsilon: Scalar
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let width = x.columns
    precondition(gain.count == width && bias.count == width, "a gain and a bias a column")
    var normalized = x
    var output = x
    var inverseDeviations = [Scalar](repeating: 0, count: x.rows)
    normalized.storage.withUnsafeMutableBufferPointer { n in
      output.storage.withUnsafeMutableBufferPointer { y in
        gain.withUnsafeBufferPointer { gain in
          bias.withUnsafeBufferPointer { bias in
            for row in 0..<x.rows {
              let base = row * width
              var mean: Scalar = 0
              for column in 0..<width { mean += n[base + column] }
              mean /= Scalar(width)
              var variance: Scalar = 0
              for column in 0..<width {
                n[base + column] -= mean
                variance += n[base + column] * n[base + column]
              }
              let inverse = 1 / (variance / Scalar(width) + epsilon).squareRoot()
              inverseDeviations[row] = inverse
              for column in 0..<width {
                n[base + column] *= inverse
                y[base + column] = gain[column] * n[base + column] + bias[column]
              }
            }
          }
        }
      }
    }
    return (output, Saved(normalized: normalized, inverseDeviations: inverseDeviations))
  }

  /// With n the normalized row and h = gain dy: dx = (h - mean(h) - n mean(h n)) / deviation.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, saved: Saved<Scalar>, gain: [Scalar]
  ) -> (input: Matrix<Scalar>, gain: [Scalar], bias: [Scalar]) {
    let width = gradient.columns
    var input = gradient
    input.storage.withUnsafeMutableBufferPointer { dx in
      saved.normalized.storage.withUnsafeBufferPointer { n in
        gain.withUnsafeBufferPointer { gain in
          for (row, inverse) in saved.inverseDeviations.enumerated() {
            let base = row * width
            var mean: Scalar = 0
            var along: Scalar = 0
            for column in 0..<width {
              let h = gain[column] * dx[base + column]
              mean += h
              along += h * n[base + column]
            }
            mean /= Scalar(width)
            along /= Scalar(width)
            for column in 0..<width {
              dx[base + column] = (gain[column] * dx[base + column] - mean - n[base + column] * along) * inverse
            }
          }
        }
      }
    }
    let gainGradient = gradient.mapElements(with: saved.normalized) { $0 * $1 }.columnSums()
    return (input, gainGradient, gradient.columnSums())
  }
}
