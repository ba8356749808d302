/// Resamples a square grid of position embeddings to another square grid, bicubically, as the library the checkpoint
/// comes from does it:
/// - Hugging Face: PyTorch's `interpolate(mode="bicubic", align_corners=False)`: the cubic with a = -0.75 over 4
///   neighbours, whose indices are clamped at the border, without antialiasing;
/// - timm: the same with `antialias=True`: a = -0.5, widened by the scale when the grid shrinks, neighbours outside the
///   border dropped and the weights normalised (as Pillow does it).
enum PositionResampling: Sendable {
  case pyTorch
  case pyTorchAntialiased

  /// grid: `[from * from, width]`, row by row; the result is `[to * to, width]`.
  func resample(_ grid: [Float], from: Int, to: Int, width: Int) -> [Float] {
    guard from != to else { return grid }
    let weights = (0..<to).map { axisWeights(position: $0, from: from, to: to) }
    var columnsDone = [Float](repeating: 0, count: from * to * width)
    for row in 0..<from {
      for column in 0..<to {
        for (source, weight) in weights[column] {
          let input = (row * from + source) * width
          let output = (row * to + column) * width
          for channel in 0..<width { columnsDone[output + channel] += weight * grid[input + channel] }
        }
      }
    }
    var result = [Float](repeating: 0, count: to * to * width)
    for row in 0..<to {
      for (source, weight) in weights[row] {
        let input = source * to * width
        let output = row * to * width
        for index in 0..<to * width { result[output + index] += weight * columnsDone[input + index] }
      }
    }
    return result
  }

  /// The inputs that make up one output along one axis, and their weights.
  private func axisWeights(position: Int, from: Int, to: Int) -> [(source: Int, weight: Float)] {
    let scale = Double(from) / Double(to)
    let centre = (Double(position) + 0.5) * scale
    switch self {
    case .pyTorch:
      let first = Int((centre - 0.5).rounded(.down)) - 1
      return (first..<first + 4).map { source in
        let weight = Self.cubic(centre - 0.5 - Double(source), a: -0.75)
        return (min(max(source, 0), from - 1), Float(weight))
      }
    case .pyTorchAntialiased:
      let stretch = max(scale, 1)
      let first = max(0, Int(centre - 2 * stretch + 0.5))
      let last = min(from, Int(centre + 2 * stretch + 0.5))
      let raw = (first..<last).map { Self.cubic((Double($0) + 0.5 - centre) / stretch, a: -0.5) }
      let sum = raw.reduce(0, +)
      return zip(first..<last, raw).map { ($0, Float($1 / sum)) }
    }
  }

  /// Keys' cubic convolution kernel.
  private static func cubic(_ distance: Double, a: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }
}
