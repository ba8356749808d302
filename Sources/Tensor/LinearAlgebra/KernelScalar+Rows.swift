internal import CKernels

// What stands between the products of a network that is trained. Single precision is the C kernels' (`ck_layer_norm`,
// `ck_activation` and their backward passes); double precision, for tests, is written out here.

extension Float {
  package static func normalizeRows(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Float>, gain: UnsafePointer<Float>, bias: UnsafePointer<Float>,
    epsilon: Float, _ output: UnsafeMutablePointer<Float>
  ) {
    ck_layer_norm(
      ck_isa_best(), Int32(rows), Int32(width), x, Int32(width), gain, bias, epsilon, output, Int32(width))
  }

  package static func normalizeRowsBackward(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Float>, gain: UnsafePointer<Float>, epsilon: Float,
    _ gradient: UnsafePointer<Float>, addingTo result: UnsafeMutablePointer<Float>
  ) {
    ck_layer_norm_backward(ck_isa_best(), Int32(rows), Int32(width), x, gain, epsilon, gradient, result)
  }

  package static func applyGELU(_ count: Int, _ x: UnsafeMutablePointer<Float>) {
    ck_activation(ck_isa_best(), CK_EPILOGUE_GELU, count, x)
  }

  package static func applyGELUBackward(
    _ count: Int, _ x: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>
  ) {
    ck_activation_backward(ck_isa_best(), CK_EPILOGUE_GELU, count, x, gradient)
  }
}

extension Double {
  package static func normalizeRows(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Double>, gain: UnsafePointer<Double>, bias: UnsafePointer<Double>,
    epsilon: Double, _ output: UnsafeMutablePointer<Double>
  ) {
    for row in 0..<rows {
      let x = x + row * width
      let (mean, inverse) = moments(width, x, epsilon)
      for column in 0..<width {
        output[row * width + column] = gain[column] * (x[column] - mean) * inverse + bias[column]
      }
    }
  }

  /// With n the normalized row and h = gain dy: dx = (h - mean(h) - n mean(h n)) / deviation.
  package static func normalizeRowsBackward(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Double>, gain: UnsafePointer<Double>, epsilon: Double,
    _ gradient: UnsafePointer<Double>, addingTo result: UnsafeMutablePointer<Double>
  ) {
    for row in 0..<rows {
      let (x, dy) = (x + row * width, gradient + row * width)
      let (mean, inverse) = moments(width, x, epsilon)
      var (sum, along) = (0.0, 0.0)
      for column in 0..<width {
        sum += gain[column] * dy[column]
        along += gain[column] * dy[column] * (x[column] - mean) * inverse
      }
      for column in 0..<width {
        let normalized = (x[column] - mean) * inverse
        result[row * width + column] +=
          (gain[column] * dy[column] - sum / Double(width) - normalized * along / Double(width)) * inverse
      }
    }
  }

  /// x Phi(x).
  package static func applyGELU(_ count: Int, _ x: UnsafeMutablePointer<Double>) {
    for index in 0..<count { x[index] *= distribution(x[index]) }
  }

  /// dy (Phi(x) + x phi(x)).
  package static func applyGELUBackward(
    _ count: Int, _ x: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>
  ) {
    let peak = 0.398_942_280_401_432_7  // 1 / sqrt(2 pi)
    for index in 0..<count {
      gradient[index] *= distribution(x[index]) + x[index] * peak * exponential(-x[index] * x[index] / 2)
    }
  }

  private static func distribution(_ x: Double) -> Double { (1 + errorFunction(x * 0.5.squareRoot())) / 2 }

  /// A row's mean and 1 / sqrt(variance + epsilon).
  private static func moments(_ width: Int, _ x: UnsafePointer<Double>, _ epsilon: Double) -> (Double, Double) {
    let row = UnsafeBufferPointer(start: x, count: width)
    let mean = row.reduce(0, +) / Double(width)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
    return (mean, 1 / (variance + epsilon).squareRoot())
  }
}
