import CKernels

/// Which variant of the kernels computes. All give the same quantized features.
package enum InstructionSet: String, Sendable, CaseIterable {
  /// The reference: plain C, for comparison.
  case scalar
  case avx2
  /// AVX-512 with VNNI.
  case avx512

  /// The fastest this processor runs.
  package static var best: InstructionSet {
    switch ck_isa_best() {
    case CK_ISA_AVX512: .avx512
    case CK_ISA_AVX2: .avx2
    default: .scalar
    }
  }

  /// Whether this processor runs it.
  package var isSupported: Bool { ck_isa_supported(kernels) }

  var kernels: ck_isa {
    switch self {
    case .scalar: CK_ISA_SCALAR
    case .avx2: CK_ISA_AVX2
    case .avx512: CK_ISA_AVX512
    }
  }
}
