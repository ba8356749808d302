/// Images `[n, channels, height, width]` to the same: y = gain (x - mean) / sqrt(variance + epsilon) + bias with the mean
/// and (biased) variance of each channel over the batch and its positions, gain and bias `[channels]` (Ioffe and Szegedy
/// 2015, algorithm 1). These are training's statistics; `Saved` has them for whoever keeps running ones.
package enum BatchNorm2D {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// (x - mean) / sqrt(variance + epsilon), in x's shape.
    package let normalized: Matrix<Scalar>
    /// `[channels]` each.
    package let means: [Scalar]
    package let variances: [Scalar]
    package let inverseDeviations: [Scalar]
  }

  /// There is at least one image.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, shape: ImageShape, gain: [Scalar], bias: [Scalar], epsilon: Scalar
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    precondition(x.columns == shape.count && x.rows > 0, "images of the stated shape")
    precondition(gain.count == shape.channels && bias.count == shape.channels, "a gain and a bias a channel")
    let share = 1 / Scalar(x.rows * shape.area)
    let means = channelSums(x, shape: shape).map { $0 * share }
    var normalized = x
    mapChannels(&normalized, shape: shape) { element, channel in element - means[channel] }
    let variances = channelSums(normalized.mapElements { $0 * $0 }, shape: shape).map { $0 * share }
    let inverseDeviations = variances.map { 1 / ($0 + epsilon).squareRoot() }
    mapChannels(&normalized, shape: shape) { element, channel in element * inverseDeviations[channel] }
    var output = normalized
    mapChannels(&output, shape: shape) { element, channel in gain[channel] * element + bias[channel] }
    let saved = Saved(
      normalized: normalized, means: means, variances: variances, inverseDeviations: inverseDeviations)
    return (output, saved)
  }

  /// With n the normalized channel: dx = gain (dy - mean(dy) - n mean(dy n)) / deviation.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, shape: ImageShape, saved: Saved<Scalar>, gain: [Scalar]
  ) -> (input: Matrix<Scalar>, gain: [Scalar], bias: [Scalar]) {
    let share = 1 / Scalar(gradient.rows * shape.area)
    let biasGradient = channelSums(gradient, shape: shape)
    let gainGradient = channelSums(gradient.mapElements(with: saved.normalized) { $0 * $1 }, shape: shape)
    var along = saved.normalized
    mapChannels(&along, shape: shape) { element, channel in
      share * (biasGradient[channel] + element * gainGradient[channel])
    }
    var input = gradient.mapElements(with: along) { $0 - $1 }
    mapChannels(&input, shape: shape) { element, channel in
      element * gain[channel] * saved.inverseDeviations[channel]
    }
    return (input, gainGradient, biasGradient)
  }

  private static func channelSums<Scalar: KernelScalar>(_ x: Matrix<Scalar>, shape: ImageShape) -> [Scalar] {
    var sums = [Scalar](repeating: 0, count: shape.channels)
    x.storage.withUnsafeBufferPointer { x in
      for plane in 0..<x.count / shape.area {
        var sum: Scalar = 0
        for index in plane * shape.area..<(plane + 1) * shape.area { sum += x[index] }
        sums[plane % shape.channels] += sum
      }
    }
    return sums
  }

  private static func mapChannels<Scalar: KernelScalar>(
    _ x: inout Matrix<Scalar>, shape: ImageShape, _ f: (_ element: Scalar, _ channel: Int) -> Scalar
  ) {
    x.storage.withUnsafeMutableBufferPointer { x in
      for plane in 0..<x.count / shape.area {
        let channel = plane % shape.channels
        for index in plane * shape.area..<(plane + 1) * shape.area { x[index] = f(x[index], channel) }
      }
    }
  }
}
