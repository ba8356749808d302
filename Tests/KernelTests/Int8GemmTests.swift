import CKernels
import Testing

/// What fills the operands of a product.
enum Filling: CaseIterable {
  /// As a transformer's: activations around the zero point, normal weights.
  case typical
  /// Every bit of both operands used.
  case uniform
  /// Activations 0 or 255, weights -128 or 127: whatever can saturate or overflow does.
  case extreme
  /// All activations 255 and all weights -128.
  case constant
}

struct ProductCase {
  let rows, outputs, inputs: Int
  let lda, ldo: Int
  let a: [UInt8]
  let weights: [Int8]
  let scales, bias, rowScales, initial: [Float]
  let zeros: [Int32]

  init(rows: Int, outputs: Int, inputs: Int, filling: Filling) {
    var generator = TestGenerator(seed: UInt64(rows * 31 + outputs * 7 + inputs))
    (self.rows, self.outputs, self.inputs) = (rows, outputs, inputs)
    lda = (inputs + 3) / 4 * 4 + 4
    ldo = outputs + 3
    let zeros = (0..<rows).map { _ -> Int32 in filling == .typical ? 128 : Int32(generator.next() % 256) }
    self.zeros = zeros
    a = (0..<rows * lda).map { _ in
      switch filling {
      case .typical: UInt8(max(0, min(255, 128 + 30 * generator.gaussian())))
      case .uniform: UInt8(generator.next() & 255)
      case .extreme: generator.next() & 1 == 0 ? 0 : 255
      case .constant: 255
      }
    }
    weights = (0..<outputs * inputs).map { _ in
      switch filling {
      case .typical: Int8(max(-127, min(127, 36 * generator.gaussian())))
      case .uniform: Int8(truncatingIfNeeded: generator.next())
      case .extreme: generator.next() & 1 == 0 ? -128 : 127
      case .constant: -128
      }
    }
    scales = (0..<outputs).map { _ in 0.0001 * Float(1 + generator.next() % 9) }
    rowScales = (0..<rows).map { _ in 0.01 * Float(1 + generator.next() % 9) }
    bias = generator.gaussians(outputs)
    initial = generator.gaussians(rows * ldo)
  }

  func product(_ isa: ck_isa, _ epilogue: ck_epilogue, bias hasBias: Bool = true) -> [Float] {
    var out = initial
    guard let packed = ck_int8_weights_pack(weights, scales, Int32(outputs), Int32(inputs)) else { return [] }
    defer { ck_int8_weights_free(packed) }
    bias.withUnsafeBufferPointer { bias in
      withScratch(ck_int8_gemm_scratch(Int32(rows), packed)) { scratch in
        ck_int8_gemm(
          isa, Int32(rows), a, Int32(lda), rowScales, zeros, packed, hasBias ? bias.baseAddress : nil, epilogue, &out,
          Int32(ldo), scratch)
      }
    }
    return out
  }

  /// The product in whole numbers, without the packing: `sum (a - zero) w`.
  func integer(row: Int, output: Int) -> Int {
    (0..<inputs).reduce(0) { sum, k in
      sum + (Int(a[row * lda + k]) - Int(zeros[row])) * Int(weights[output * inputs + k])
    }
  }
}

struct Int8GemmTests {
  static let shapes: [(Int, Int, Int)] = [
    (1, 1, 1), (2, 3, 5), (3, 17, 7), (4, 16, 4), (5, 33, 129), (7, 40, 1025), (8, 16, 1024), (13, 48, 770),
    (6, 31, 3072), (101, 64, 768),
  ]

  @Test(arguments: shapes, Filling.allCases)
  func scalarComputesTheIntegers(shape: (Int, Int, Int), filling: Filling) {
    let test = ProductCase(rows: shape.0, outputs: shape.1, inputs: shape.2, filling: filling)
    let out = test.product(CK_ISA_SCALAR, CK_EPILOGUE_NONE, bias: false)
    for (row, output) in [(0, 0), (shape.0 - 1, shape.1 - 1), (shape.0 / 2, shape.1 / 2)] {
      let expected = Float(test.integer(row: row, output: output)) * (test.rowScales[row] * test.scales[output])
      #expect(out[row * test.ldo + output] == expected)
    }
  }

  /// Scaling and bias follow the same operations in the same order, so equal integers give equal bits.
  @Test(arguments: shapes, Filling.allCases)
  func variantsComputeTheSameBits(shape: (Int, Int, Int), filling: Filling) {
    let test = ProductCase(rows: shape.0, outputs: shape.1, inputs: shape.2, filling: filling)
    for epilogue in [CK_EPILOGUE_NONE, CK_EPILOGUE_RESIDUAL] {
      let scalar = test.product(CK_ISA_SCALAR, epilogue)
      for isa in vectorVariants { #expect(test.product(isa, epilogue) == scalar) }
    }
  }

  /// The activations are polynomials in one variant and the C library's functions in the other.
  static let activationCeiling: Float = 1e-6

  @Test(arguments: [CK_EPILOGUE_QUICK_GELU, CK_EPILOGUE_GELU])
  func variantsAgreeAfterAnActivation(epilogue: ck_epilogue) {
    for shape in Self.shapes {
      let test = ProductCase(rows: shape.0, outputs: shape.1, inputs: shape.2, filling: .typical)
      let scalar = test.product(CK_ISA_SCALAR, epilogue)
      for isa in vectorVariants {
        for (a, b) in zip(test.product(isa, epilogue), scalar) {
          #expect(abs(a - b) <= Self.activationCeiling * max(1, abs(b)))
        }
      }
    }
  }

  @Test func columnsPastTheOutputsAreLeftAlone() {
    let test = ProductCase(rows: 5, outputs: 19, inputs: 12, filling: .typical)
    for isa in vectorVariants + [CK_ISA_SCALAR] {
      let out = test.product(isa, CK_EPILOGUE_NONE)
      for row in 0..<5 {
        let past = row * test.ldo + 19..<(row + 1) * test.ldo
        #expect(out[past] == test.initial[past])
      }
    }
  }

  @Test(arguments: [(0, 1), (1, 0), (-1, 4), (4, 65537), (65537, 4)])
  func sizesOutOfRangeAreRefused(outputs: Int32, inputs: Int32) {
    #expect(ck_int8_weights_pack([0], [1], outputs, inputs) == nil)
  }
}
