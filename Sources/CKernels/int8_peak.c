// The most 8-bit multiply-adds a core can do with its plain instructions, measured in registers.
#define _POSIX_C_SOURCE 199309L // clock_gettime
#include "include/int8_gemm.h"

#include <time.h>

#include "vector_math_avx2.h"

#if defined(__x86_64__)
enum { TURNS = 100000, UNROLLED = 8 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// Twice two multiplications, then their two additions: in this order the four vector pipes are all filled.
CK_AVX2 static double peak_avx2(void) {
  __m256i value = _mm256_set1_epi16(3), product;
  double start = seconds();
  for (int i = 0; i < TURNS; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < UNROLLED / 4; j++) {
      __asm__ volatile(
          "vpmaddwd %1, %1, %0\n\tvpmaddwd %1, %1, %0\n\tvpaddd %1, %1, %0\n\tvpaddd %1, %1, %0\n\t"
          "vpmaddwd %1, %1, %0\n\tvpmaddwd %1, %1, %0\n\tvpaddd %1, %1, %0\n\tvpaddd %1, %1, %0"
          : "=&x"(product)
          : "x"(value));
    }
  }
  return (double)TURNS * UNROLLED * 16 / (seconds() - start);
}

__attribute__((target("avx512f,avx512vnni"))) static double peak_avx512(void) {
  double start = seconds();
  for (int i = 0; i < TURNS; i++) {
    __asm__ volatile("vpdpbusd %%zmm0, %%zmm0, %%zmm1\n\tvpdpbusd %%zmm0, %%zmm0, %%zmm2\n\t"
                     "vpdpbusd %%zmm0, %%zmm0, %%zmm3\n\tvpdpbusd %%zmm0, %%zmm0, %%zmm4\n\t"
                     "vpdpbusd %%zmm0, %%zmm0, %%zmm5\n\tvpdpbusd %%zmm0, %%zmm0, %%zmm6\n\t"
                     "vpdpbusd %%zmm0, %%zmm0, %%zmm7\n\tvpdpbusd %%zmm0, %%zmm0, %%zmm8"
                     ::: "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8");
  }
  return (double)TURNS * UNROLLED * 64 / (seconds() - start);
}
#endif

double ck_int8_peak_macs_per_second(ck_isa isa) {
#if defined(__x86_64__)
  if (isa == CK_ISA_AVX512) return peak_avx512();
  if (isa == CK_ISA_AVX2) return peak_avx2();
#endif
  (void)isa;
  return 0;
}
