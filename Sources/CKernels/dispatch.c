#include "dispatch.h"

bool ck_isa_supported(ck_isa isa) {
  switch (isa) {
    case CK_ISA_SCALAR:
      return true;
#if defined(__x86_64__)
    case CK_ISA_AVX2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CK_ISA_AVX512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vnni");
#endif
    default:
      return false;
  }
}

ck_isa ck_isa_best(void) {
  if (ck_isa_supported(CK_ISA_AVX512)) return CK_ISA_AVX512;
  if (ck_isa_supported(CK_ISA_AVX2)) return CK_ISA_AVX2;
  return CK_ISA_SCALAR;
}
