// Instruction sets: what this machine has, and the names settings use for them.
#pragma once
#include <stdbool.h>

/// The variants every kernel comes in. The scalar one is the reference the others are tested against.
typedef enum ck_isa {
  CK_ISA_SCALAR = 0,
  CK_ISA_AVX2 = 1,
  /// AVX-512 F, BW, DQ, VL and VNNI.
  CK_ISA_AVX512 = 2,
} ck_isa;

/// Whether this processor runs that variant.
bool ck_isa_supported(ck_isa isa);

/// The fastest variant this processor runs.
ck_isa ck_isa_best(void);
