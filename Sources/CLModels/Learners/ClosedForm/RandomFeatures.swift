package import Tensor

/// Random ReLU features (RanPAC): `sqrt(2 / count) relu(W x)` with W standard normal from a seed. Their inner products
/// converge to the arc-cosine kernel as `count` grows, so lambda means the same in both forms.
struct RandomFeatures: Sendable {
  let count: Int
  let width: Int
  let seed: UInt64
  /// W, `[count, width]`.
  private let projection: Matrix<Float>

  init(count: Int, width: Int, seed: UInt64) {
    self.count = count
    self.width = width
    self.seed = seed
    var generator = SeededGenerator(seed: seed)
    projection = Matrix(
      rows: count, columns: width, storage: (0..<count * width).map { _ in Float(generator.nextGaussian()) })
  }

  /// Writes the features of rows `range` of x (`[rows, width]`, unit length): one row of features an example.
  func write(
    rows range: Range<Int>, of x: Matrix<Float>, to out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    x.storage.withUnsafeBufferPointer { x in
      projection.storage.withUnsafeBufferPointer { projection in
        guard let x = x.baseAddress, let projection = projection.baseAddress else { return }
        Float.multiply(
          range.count, count, width, alpha: scale, x + range.lowerBound * width, width, projection, width, beta: 0,
          out, stride)
      }
    }
    for row in 0..<range.count { Self.rectify(count, out + row * stride) }
  }

  /// Writes features `range` of rows `rows` of x: one row of examples a feature.
  func writeTransposed(
    features range: Range<Int>, rows: Range<Int>, of x: Matrix<Float>, to out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    x.storage.withUnsafeBufferPointer { values in
      projection.storage.withUnsafeBufferPointer { projection in
        guard let values = values.baseAddress, let projection = projection.baseAddress else { return }
        Float.multiply(
          range.count, rows.count, width, alpha: scale, projection + range.lowerBound * width, width,
          values + rows.lowerBound * width, width, beta: 0, out, stride)
      }
    }
    for row in 0..<range.count { Self.rectify(rows.count, out + row * stride) }
  }

  private var scale: Float { (2 / Float(count)).squareRoot() }

  private static func rectify(_ count: Int, _ values: UnsafeMutablePointer<Float>) {
    for index in 0..<count { values[index] = max(values[index], 0) }
  }
}

/// Ridge on random ReLU features: scores are linear in them.
package struct RandomFeaturesHead: Head {
  let features: RandomFeatures
  /// `[classes, features.count]`.
  let weights: Matrix<Float>

  package var classCount: Int { weights.rows }
  package var featureWidth: Int { features.width }

  private static var block: Int { 64 }

  package func scores(_ input: Matrix<Float>) -> Matrix<Float> {
    precondition(input.columns == featureWidth, "features of another width")
    let unit = input.rowsOfUnitLength()
    var result = Matrix<Float>(rows: unit.rows, columns: classCount)
    let hidden = TileMemory<Float>(count: min(Self.block, unit.rows) * features.count)
    for start in stride(from: 0, to: unit.rows, by: Self.block) {
      let rows = min(Self.block, unit.rows - start)
      features.write(rows: start..<start + rows, of: unit, to: hidden.base, stride: features.count)
      result.storage.withUnsafeMutableBufferPointer { result in
        weights.storage.withUnsafeBufferPointer { weights in
          guard let result = result.baseAddress, let weights = weights.baseAddress else { return }
          Float.multiply(
            rows, classCount, features.count, alpha: 1, hidden.base, features.count, weights, features.count, beta: 0,
            result + start * classCount, classCount)
        }
      }
    }
    return result
  }

  package func encoded() -> [UInt8] {
    var coder = HeadEncoder(kind: .randomFeatures)
    coder.append(UInt64(features.width))
    coder.append(features.seed)
    coder.append(weights)
    return coder.bytes
  }

  init(features: RandomFeatures, weights: Matrix<Float>) {
    self.features = features
    self.weights = weights
  }

  init(from decoder: inout HeadDecoder) throws(LearnerError) {
    let width = try decoder.integer()
    let seed = try decoder.integer()
    weights = try decoder.matrix()
    // The projection is generated, not read: its size is bounded here instead of by the bytes.
    guard width > 0, width <= 65_536, UInt64(weights.columns) * width <= 1 << 28 else {
      throw .unreadable("the random projection's size is out of range")
    }
    features = RandomFeatures(count: weights.columns, width: Int(width), seed: seed)
  }
}
