import CKernels
import Foundation
import Testing

/// What training prompts needs besides attention.
struct PromptGradientTests {
  static let variants = vectorVariants + [CK_ISA_SCALAR]

  /// Float sums over up to 768 numbers, relative to the largest gradient.
  static let layerNormCeiling = 5e-6

  @Test(arguments: [1, 3, 8, 15, 16, 17, 47, 768])
  func layerNormFollowsDoublePrecision(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let rows = 3
    let x = generator.gaussians(rows * width).map { 3 * $0 + 10 }
    let gain = generator.gaussians(width)
    let dy = generator.gaussians(rows * width)
    let before = generator.gaussians(rows * width)
    let epsilon: Float = 1e-2
    for isa in Self.variants {
      var dx = before
      ck_layer_norm_backward(isa, Int32(rows), Int32(width), x, gain, epsilon, dy, &dx)
      for row in 0..<rows {
        let place = row * width..<(row + 1) * width
        let expected = layerNormGradient(x[place], gain: gain, dy: dy[place], epsilon: Double(epsilon))
        let size = expected.reduce(1) { max($0, abs($1)) }
        let added = place.map { Double(dx[$0]) - Double(before[$0]) }
        let error = zip(added, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= Self.layerNormCeiling * size, "\(isa), \(width): \(error)")
      }
    }
  }

  /// The differences of the formula, in double precision.
  private func layerNormGradient(
    _ x: ArraySlice<Float>, gain: [Float], dy: ArraySlice<Float>, epsilon: Double
  ) -> [Double] {
    func loss(_ x: [Double]) -> Double {
      let mean = x.reduce(0, +) / Double(x.count)
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
      let scale = 1 / (variance + epsilon).squareRoot()
      return x.indices.reduce(0) { $0 + Double(dy[dy.startIndex + $1]) * (x[$1] - mean) * scale * Double(gain[$1]) }
    }
    var moved = x.map(Double.init)
    return moved.indices.map { index in
      let original = moved[index]
      moved[index] = original + 1e-4
      let above = loss(moved)
      moved[index] = original - 1e-4
      defer { moved[index] = original }
      return (above - loss(moved)) / 2e-4
    }
  }

  /// The exponential's polynomial, and erf by Abramowitz and Stegun 7.1.26, good to 1.5e-7; slopes reach 1.1.
  static let slopeCeiling = 1e-6

  @Test(arguments: [1, 3, 7, 8, 9, 15, 16, 17, 1000])
  func activationsFollowDoublePrecision(count: Int) {
    var generator = TestGenerator(seed: UInt64(count))
    let x = generator.gaussians(count, scale: 3)
    let gradient = generator.gaussians(count)
    for isa in Self.variants {
      var quick = gradient
      var exact = gradient
      ck_activation_backward(isa, CK_EPILOGUE_QUICK_GELU, count, x, &quick)
      ck_activation_backward(isa, CK_EPILOGUE_GELU, count, x, &exact)
      for index in 0..<count {
        let value = Double(x[index])
        let sigmoid = 1 / (1 + exp(-1.702 * value))
        let quickSlope = sigmoid + 1.702 * value * sigmoid * (1 - sigmoid)
        let slope =
          erfc(-value / 2.0.squareRoot()) / 2 + value * exp(-value * value / 2) / (2 * Double.pi).squareRoot()
        let upstream = Double(gradient[index])
        #expect(abs(Double(quick[index]) - upstream * quickSlope) <= Self.slopeCeiling * max(1, abs(upstream)))
        #expect(abs(Double(exact[index]) - upstream * slope) <= Self.slopeCeiling * max(1, abs(upstream)))
      }
    }
  }

  @Test func slopesOfLargeValuesAreZeroAndOne() {
    let x: [Float] = [-1e30, -1000, -60, 60, 1000, 1e30]
    for isa in Self.variants {
      for activation in [CK_EPILOGUE_QUICK_GELU, CK_EPILOGUE_GELU] {
        var slopes = [Float](repeating: 1, count: x.count)
        ck_activation_backward(isa, activation, x.count, x, &slopes)
        for (slope, expected) in zip(slopes, [0, 0, 0, 1, 1, 1] as [Float]) {
          #expect(abs(slope - expected) <= Float(Self.slopeCeiling), "\(isa), \(activation)")
        }
      }
    }
  }

  @Test(arguments: [1, 3, 8, 15, 16, 17, 47, 768])
  func columnsAreScaledExactly(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let (rows, stride) = (3, width + 5)
    let x = generator.gaussians(rows * stride)
    let factors = generator.gaussians(width)
    for isa in Self.variants {
      var out = [Float](repeating: 99, count: rows * width + 1)
      ck_scale_columns(isa, Int32(rows), Int32(width), x, Int32(stride), factors, &out)
      for row in 0..<rows {
        for column in 0..<width { #expect(out[row * width + column] == x[row * stride + column] * factors[column]) }
      }
      #expect(out[rows * width] == 99)
    }
  }

  @Test(arguments: [(1, 1), (3, 5), (16, 4), (17, 7), (33, 129), (40, 1025), (48, 770)])
  func unpackingGivesTheWeightsThatWerePacked(outputs: Int, inputs: Int) throws {
    var generator = TestGenerator(seed: UInt64(outputs * inputs))
    let weights = (0..<outputs * inputs).map { _ in Int8(truncatingIfNeeded: generator.next()) }
    let scales = [Float](repeating: 1, count: outputs)
    let packed = try #require(ck_int8_weights_pack(weights, scales, Int32(outputs), Int32(inputs)))
    defer { ck_int8_weights_free(packed) }
    var unpacked = [Int8](repeating: 99, count: outputs * inputs + 1)
    ck_int8_weights_unpack(packed, &unpacked)
    #expect(Array(unpacked.dropLast()) == weights)
    #expect(unpacked.last == 99)
  }
}
