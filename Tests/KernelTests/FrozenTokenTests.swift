import CKernels
import Testing

struct FrozenTokenTests {
  /// Half a step, and the rounding of the number of steps: 127 steps are held to 8e-6 of one.
  static let ceiling: Float = 0.50002

  @Test(arguments: [1, 15, 16, 17, 101], [(1, 8), (3, 24), (2, 64)])
  func areRestoredToWithinHalfAStep(tokens: Int, shape: (heads: Int, headWidth: Int)) {
    let block = FrozenBlock(tokens: tokens, heads: shape.heads, headWidth: shape.headWidth, seed: UInt64(tokens))
    for token in 0..<tokens {
      for head in 0..<shape.heads {
        let first = token * block.stride + head * shape.headWidth
        let place = first..<first + shape.headWidth
        // The largest number is 127 steps.
        #expect(block.keyScale(head, token) == (block.keys[place].map(abs).max() ?? 0) / 127)
        #expect(block.valueScale(head, token) == (block.values[place].map(abs).max() ?? 0) / 127)
        for index in 0..<shape.headWidth {
          let keyError = abs(Float(block.key(head, token, index)) - block.keys[first + index])
          let valueError = abs(Float(block.value(head, token, index)) - block.values[first + index])
          #expect(keyError <= Self.ceiling * block.keyScale(head, token))
          #expect(valueError <= Self.ceiling * block.valueScale(head, token))
        }
      }
    }
  }

  /// Tokens kept by one variant are read by any other.
  @Test(arguments: [1, 15, 16, 17, 101], [(1, 8), (3, 24), (2, 32), (12, 64)])
  func everyVariantStoresTheSame(tokens: Int, shape: (heads: Int, headWidth: Int)) {
    func stored(_ isa: ck_isa) -> (numbers: [Int8], scales: [Float]) {
      FrozenBlock(
        tokens: tokens, heads: shape.heads, headWidth: shape.headWidth, seed: UInt64(tokens), scale: 3, isa: isa
      ).stored
    }
    let expected = stored(CK_ISA_SCALAR)
    for isa in vectorVariants {
      let (numbers, scales) = stored(isa)
      #expect(numbers == expected.numbers && scales == expected.scales, "\(isa)")
    }
  }

  /// Halves go to the even number, as `rintf` rounds.
  @Test(arguments: vectorVariants + [CK_ISA_SCALAR])
  func stepsAreRoundedToTheNearest(isa: ck_isa) {
    let numbers: [Float] = [127, 0.5, 1.5, -2.5, 2.4999, -126.5, 126.51, -0.49]
    let block = FrozenBlock(tokens: 1, heads: 1, headWidth: 8, keys: numbers + [0], values: numbers + [0], isa: isa)
    let expected: [Int8] = [127, 0, 2, -2, 2, -126, 127, 0]
    #expect((0..<8).map { block.keyNumber(0, 0, $0) } == expected)
    #expect((0..<8).map { block.value(0, 0, $0) } == expected.map(Double.init))
  }

  @Test(arguments: [1, 15, 16, 17, 101])
  func numbersPastTheLastTokenAreZeros(tokens: Int) {
    let block = FrozenBlock(tokens: tokens, heads: 2, headWidth: 8, seed: 1)
    for token in tokens..<block.padded {
      for head in 0..<2 {
        #expect(block.keyScale(head, token) == 0 && block.valueScale(head, token) == 0)
        for index in 0..<8 { #expect(block.keyNumber(head, token, index) == 0) }
      }
    }
  }

  @Test func zerosStayZeros() {
    let zeros = [Float](repeating: 0, count: 17 * 17)
    let block = FrozenBlock(tokens: 17, heads: 2, headWidth: 8, keys: zeros, values: zeros)
    for token in 0..<17 {
      for head in 0..<2 {
        for index in 0..<8 { #expect(block.key(head, token, index) == 0 && block.value(head, token, index) == 0) }
      }
    }
  }

  /// Steps below 1e-30 have no inverse that a float holds safely: such numbers become zeros.
  static let smallest: Float = 1.28e-28

  @Test(arguments: [1e-38, 1e-30, 1e-28, 1e-27, 1e-20, 1e30] as [Float])
  func sizesOfEveryMagnitudeAreRestored(size: Float) {
    var generator = TestGenerator(seed: 4)
    let keys = (0..<3 * 9).map { _ in size * max(-1, min(1, generator.gaussian())) }
    let values = (0..<3 * 9).map { _ in size * max(-1, min(1, generator.gaussian())) }
    let block = FrozenBlock(tokens: 3, heads: 1, headWidth: 8, keys: keys, values: values)
    for token in 0..<3 {
      let bound = max(Self.smallest, Self.ceiling * block.keyScale(0, token))
      let valueBound = max(Self.smallest, Self.ceiling * block.valueScale(0, token))
      for index in 0..<8 {
        #expect(abs(Float(block.key(0, token, index)) - keys[token * 9 + index]) <= bound)
        #expect(abs(Float(block.value(0, token, index)) - values[token * 9 + index]) <= valueBound)
      }
    }
  }

  @Test func noTokensAreFrozenToNothing() {
    let block = FrozenBlock(tokens: 0, heads: 2, headWidth: 8, keys: [], values: [])
    #expect(block.kernel.tokens == 0)
  }
}
