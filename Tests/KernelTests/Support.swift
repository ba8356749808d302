import CKernels

/// The variants this machine runs besides the scalar one.
let vectorVariants: [ck_isa] = [CK_ISA_AVX2, CK_ISA_AVX512].filter { ck_isa_supported($0) }

/// A seeded generator, good enough to fill test matrices.
struct TestGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt32 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt32(truncatingIfNeeded: state >> 33)
  }

  /// Roughly normal: the sum of twelve uniform numbers.
  mutating func gaussian() -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(next()) / 2_147_483_648 }
  }

  mutating func gaussians(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in gaussian() * scale }
  }
}

/// Runs `body` with 64-byte aligned scratch memory of exactly `bytes` bytes.
func withScratch(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
  let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1), alignment: 64)
  defer { scratch.deallocate() }
  body(scratch)
}
