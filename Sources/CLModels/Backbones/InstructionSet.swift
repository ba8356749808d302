import CKernels

/// Which variant of the kernels computes. Products of integers are the same in all; int8 features are not, bit for bit.
///
/// AVX-512 adds up LayerNorm in another order and, where the processor has it, multiplies in bfloat16 in attention. Either
/// moves a few activations to the next byte, and twelve blocks make of that what quantization itself costs: a mean cosine
/// of .9989 between AVX2 and AVX-512 on 100 photographs (`benchmarks backbone-fidelity`), each .999 from float. A store
/// whose features must agree across machines to more than that names one variant in its settings.
package enum InstructionSet: String, Sendable, CaseIterable {
  /// The reference: plain C, for comparison.
  case scalar
  case avx2
  /// AVX-512 with VNNI, and with BF16 where there is.
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
