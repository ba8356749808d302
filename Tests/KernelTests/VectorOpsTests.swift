import CKernels
import Foundation
import Testing

struct ActivationTests {
  /// Against double precision, relative to max(1, |value|). erf by Abramowitz and Stegun 7.1.26 is good to 1.5e-7.
  static let quickGELUCeiling = 2e-7
  static let geluCeiling = 5e-7

  @Test(arguments: [1, 7, 8, 9, 1000])
  func followDoublePrecision(count: Int) {
    var generator = TestGenerator(seed: UInt64(count))
    let x = generator.gaussians(count, scale: 6)
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      var quick = x
      var exact = x
      ck_activation(isa, CK_EPILOGUE_QUICK_GELU, count, &quick)
      ck_activation(isa, CK_EPILOGUE_GELU, count, &exact)
      for i in 0..<count {
        let value = Double(x[i])
        let quickReference = value / (1 + exp(-1.702 * value))
        let reference = value / 2 * erfc(-value / 2.0.squareRoot())
        #expect(abs(Double(quick[i]) - quickReference) <= Self.quickGELUCeiling * max(1, abs(quickReference)))
        #expect(abs(Double(exact[i]) - reference) <= Self.geluCeiling * max(1, abs(reference)))
      }
    }
  }

  @Test func largeValuesStayFinite() {
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      for activation in [CK_EPILOGUE_QUICK_GELU, CK_EPILOGUE_GELU] {
        var x: [Float] = [-1e30, -1000, -50, 50, 1000, 1e30, 0, 1, -1]
        ck_activation(isa, activation, x.count, &x)
        let areFinite = x.allSatisfy { $0.isFinite }
        #expect(areFinite)
        #expect(abs(x[0]) < 1e-6 && x[5] == 1e30 && x[6] == 0)
      }
    }
  }
}

struct QuantizeTests {
  struct Quantized: Equatable {
    var bytes: [UInt8]
    var scales: [Float]
    var zeros: [Int32]
  }

  func quantize(_ isa: ck_isa, rows: Int, width: Int, _ x: [Float]) -> Quantized {
    let stride = (width + 3) / 4 * 4
    var result = Quantized(
      bytes: Array(repeating: 7, count: rows * stride), scales: Array(repeating: 0, count: rows),
      zeros: Array(repeating: -1, count: rows))
    ck_quantize_rows(
      isa, Int32(rows), Int32(width), x, Int32(width), &result.bytes, Int32(stride), &result.scales, &result.zeros)
    return result
  }

  @Test(arguments: [1, 2, 5, 31, 32, 33, 70, 768])
  func roundsToWithinHalfAStep(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let x = generator.gaussians(3 * width)
    let scalar = quantize(CK_ISA_SCALAR, rows: 3, width: width, x)
    for isa in vectorVariants { #expect(quantize(isa, rows: 3, width: width, x) == scalar) }
    let stride = (width + 3) / 4 * 4
    for row in 0..<3 {
      let scale = scalar.scales[row]
      for i in 0..<width {
        let restored = scale * Float(Int32(scalar.bytes[row * stride + i]) - scalar.zeros[row])
        // One step at the ends of the range, where the rounded zero point pushes a value out of the byte.
        #expect(abs(restored - x[row * width + i]) <= scale)
      }
      for i in width..<stride { #expect(Int32(scalar.bytes[row * stride + i]) == scalar.zeros[row]) }
    }
  }

  @Test(arguments: [1, 2, 5, 31, 32, 33, 70, 768])
  func theWayBackIsTheSameInEveryVariant(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let (rows, stride, wide) = (3, (width + 3) / 4 * 4, width + 5)
    let quantized = quantize(CK_ISA_SCALAR, rows: rows, width: width, generator.gaussians(rows * width))
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      var restored = [Float](repeating: 9, count: rows * wide)
      ck_dequantize_rows(
        isa, Int32(rows), Int32(width), quantized.bytes, Int32(stride), quantized.scales, quantized.zeros, &restored,
        Int32(wide))
      for row in 0..<rows {
        for i in 0..<wide {
          let step = i < width ? Int32(quantized.bytes[row * stride + i]) - quantized.zeros[row] : 0
          #expect(restored[row * wide + i] == (i < width ? quantized.scales[row] * Float(step) : 9))
        }
      }
    }
  }

  @Test(arguments: [Float(0), 3, -3, 1e-35, -1e38])
  func constantRowsAreRestored(value: Float) {
    let x = Array(repeating: value, count: 40)
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      let result = quantize(isa, rows: 1, width: 40, x)
      let restored = result.scales[0] * Float(Int32(result.bytes[5]) - result.zeros[0])
      #expect(result.scales[0].isFinite && result.scales[0] > 0)
      #expect(abs(restored - max(-1e37, value)) <= 0.01 * abs(max(-1e37, value)) + 1e-30)
    }
  }

  @Test func valuesThatAreNotNumbersDoNotTrapOrDiffer() {
    var x = (0..<40).map { Float($0) - 20 }
    x[3] = .nan
    x[36] = .infinity
    x[20] = -.infinity
    let scalar = quantize(CK_ISA_SCALAR, rows: 1, width: 40, x)
    for isa in vectorVariants { #expect(quantize(isa, rows: 1, width: 40, x) == scalar) }
    #expect(scalar.scales[0].isFinite)
  }
}

struct LayerNormTests {
  /// Float sums over up to 768 values.
  static let ceiling = 5e-6

  @Test(arguments: [1, 3, 8, 23, 24, 768])
  func followsDoublePrecision(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let x = generator.gaussians(2 * width).map { 3 * $0 + 10 }
    let gain = generator.gaussians(width)
    let bias = generator.gaussians(width)
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      var out = Array(repeating: Float(0), count: 2 * width)
      ck_layer_norm(isa, 2, Int32(width), x, Int32(width), gain, bias, 1e-5, &out, Int32(width))
      for row in 0..<2 {
        let values = x[row * width..<(row + 1) * width].map(Double.init)
        let mean = values.reduce(0, +) / Double(width)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
        for i in 0..<width {
          let expected = (values[i] - mean) / (variance + 1e-5).squareRoot() * Double(gain[i]) + Double(bias[i])
          #expect(abs(Double(out[row * width + i]) - expected) <= Self.ceiling * max(1, abs(expected)))
        }
      }
    }
  }

  /// The last columns, which do not fill a vector, repeat the first ones and come out with the same bits.
  @Test func lastColumnsAreComputedAsTheOthers() {
    var generator = TestGenerator(seed: 40)
    let (rows, width) = (64, 47)
    func repeating(_ numbers: [Float]) -> [Float] { numbers + numbers[..<7] }
    let x = (0..<rows).flatMap { _ in repeating(generator.gaussians(40)) }
    let gain = repeating(generator.gaussians(40))
    let bias = repeating(generator.gaussians(40))
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      var out = Array(repeating: Float(0), count: rows * width)
      ck_layer_norm(isa, Int32(rows), Int32(width), x, Int32(width), gain, bias, 1e-5, &out, Int32(width))
      for row in 0..<rows {
        let line = out[row * width..<(row + 1) * width]
        #expect(line.suffix(7).elementsEqual(line.prefix(7)))
      }
    }
  }

  @Test(arguments: [1, 5, 32, 40, 45, 768])
  func fusedQuantizationGivesTheBytesOfTheTwoSteps(width: Int) {
    var generator = TestGenerator(seed: UInt64(width))
    let x = generator.gaussians(2 * width)
    let gain = generator.gaussians(width)
    let bias = generator.gaussians(width)
    let stride = (width + 3) / 4 * 4
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      var normalised = Array(repeating: Float(0), count: 2 * width)
      var bytes = [Array(repeating: UInt8(0), count: 2 * stride), Array(repeating: UInt8(0), count: 2 * stride)]
      var scales: [[Float]] = [[0, 0], [0, 0]]
      var zeros: [[Int32]] = [[0, 0], [0, 0]]
      ck_layer_norm(isa, 2, Int32(width), x, Int32(width), gain, bias, 1e-5, &normalised, Int32(width))
      ck_quantize_rows(
        isa, 2, Int32(width), normalised, Int32(width), &bytes[0], Int32(stride), &scales[0], &zeros[0])
      ck_layer_norm_quantize(
        isa, 2, Int32(width), x, Int32(width), gain, bias, 1e-5, &bytes[1], Int32(stride), &scales[1], &zeros[1])
      #expect(bytes[0] == bytes[1])
      #expect(scales[0] == scales[1])
      #expect(zeros[0] == zeros[1])
    }
  }
}

struct AttentionTests {
  /// Products of queries and keys reach about 150 here, where a float's half unit is 8e-6; divided by sqrt(head width) and
  /// added up over 64 terms that leaves some 1e-6 in the exponent, times values of up to 4.
  static let ceiling = 1e-5

  static let cases: [(queries: Int, tokens: Int, heads: Int, headWidth: Int)] = [
    (1, 1, 1, 8), (3, 3, 2, 8), (5, 17, 3, 24), (26, 26, 2, 64), (1, 197, 2, 64), (101, 101, 1, 64), (50, 50, 1, 40),
    (31, 9, 2, 16), (7, 25, 1, 32), (25, 33, 1, 80), (29, 257, 1, 64),
  ]

  /// bfloat16 keeps 8 bits: each factor is off by up to 2^-9 of itself. Here 64 products of queries and keys reach 2.8 as
  /// exponents, off by some 2e-3, and so weights by 2e-3 of themselves, times values of up to 4.
  static let roundedCeiling = 0.03

  /// Attention of `test` by one kernel against the formula in double precision: the largest difference.
  func largestError(
    of test: (queries: Int, tokens: Int, heads: Int, headWidth: Int), isa: ck_isa, rounded: Bool, scale: Float
  ) -> Double {
    var generator = TestGenerator(seed: UInt64(test.tokens * 100 + test.headWidth))
    let width = test.heads * test.headWidth
    let (ldq, ldkv, ldo) = (width + 3, width + 1, width + 2)
    let q = generator.gaussians(test.queries * ldq, scale: scale)
    let k = generator.gaussians(test.tokens * ldkv, scale: scale)
    let v = generator.gaussians(test.tokens * ldkv)
    let kernel = rounded ? ck_attention_rounded : ck_attention
    var out = Array(repeating: Float(99), count: test.queries * ldo)
    withScratch(ck_attention_scratch(Int32(test.queries), Int32(test.tokens), Int32(test.headWidth))) { scratch in
      kernel(
        isa, Int32(test.queries), Int32(test.tokens), Int32(test.heads), Int32(test.headWidth), q, Int32(ldq), k, v,
        Int32(ldkv), &out, Int32(ldo), scratch)
    }
    var largest = 0.0
    for query in 0..<test.queries {
      #expect(out[query * ldo + width] == 99)
      for head in 0..<test.heads {
        let first = head * test.headWidth
        let scores = (0..<test.tokens).map { token in
          (first..<first + test.headWidth).reduce(0.0) {
            $0 + Double(q[query * ldq + $1]) * Double(k[token * ldkv + $1])
          } / Double(test.headWidth).squareRoot()
        }
        let highest = scores.max() ?? 0
        let weights = scores.map { exp($0 - highest) }
        let total = weights.reduce(0, +)
        for column in first..<first + test.headWidth {
          let expected = (0..<test.tokens).reduce(0.0) { $0 + weights[$1] / total * Double(v[$1 * ldkv + column]) }
          let error = abs(Double(out[query * ldo + column]) - expected)
          guard error.isFinite else { return error }
          largest = max(largest, error)
        }
      }
    }
    return largest
  }

  @Test(arguments: cases)
  func followsDoublePrecision(test: (queries: Int, tokens: Int, heads: Int, headWidth: Int)) {
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      #expect(largestError(of: test, isa: isa, rounded: false, scale: 2) <= Self.ceiling)
    }
  }

  @Test(arguments: cases)
  func roundedFormFollowsDoublePrecision(test: (queries: Int, tokens: Int, heads: Int, headWidth: Int)) {
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      let ceiling = ck_attention_has_bf16(isa) ? Self.roundedCeiling : Self.ceiling
      #expect(largestError(of: test, isa: isa, rounded: true, scale: 1) <= ceiling)
    }
  }

  /// Scores far apart and far from zero: weights underflow, nothing overflows.
  @Test func largeScoresStayFinite() {
    let q = (0..<8).map { _ in Float(300) }
    let k = (0..<40 * 8).map { Float($0 / 8 - 20) * 10 }
    let v = (0..<40 * 8).map { Float($0 / 8) }
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      for kernel in [ck_attention, ck_attention_rounded] {
        var out = Array(repeating: Float(99), count: 8)
        withScratch(ck_attention_scratch(1, 40, 8)) { kernel(isa, 1, 40, 1, 8, q, 8, k, v, 8, &out, 8, $0) }
        #expect(out.allSatisfy { $0 == 39 })
      }
    }
  }

  /// A query's result does not depend on which queries it is computed with: the same bits alone and in any place.
  @Test func queriesDoNotDependOnEachOther() {
    let (queries, tokens, width) = (53, 70, 64)
    var generator = TestGenerator(seed: 5)
    let q = generator.gaussians(queries * width)
    let k = generator.gaussians(tokens * width)
    let v = generator.gaussians(tokens * width)
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      for kernel in [ck_attention, ck_attention_rounded] {
        func attend(_ q: [Float]) -> [Float] {
          var out = Array(repeating: Float(99), count: q.count)
          let (rows, keys, stride) = (Int32(q.count / width), Int32(tokens), Int32(width))
          withScratch(ck_attention_scratch(rows, keys, stride)) {
            kernel(isa, rows, keys, 1, stride, q, stride, k, v, stride, &out, stride, $0)
          }
          return out
        }
        let together = attend(q)
        for query in [0, 5, 24, 52] {
          let place = query * width..<(query + 1) * width
          #expect(attend(Array(q[place])) == Array(together[place]))
        }
      }
    }
  }
}
