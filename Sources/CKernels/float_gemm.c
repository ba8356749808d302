#include "float_gemm.h"

#include <stdlib.h>
#include <string.h>

#define GEMM_INLINE static inline __attribute__((always_inline))

// The blocked product is written once, over clang's vector types, and instantiated for each instruction set and
// precision. CK_PORTABLE builds the same instances without target attributes, so that the 512-bit ones can be tested on
// a machine that has no AVX-512: the compiler then splits each vector.
#if defined(CK_PORTABLE) || !defined(__x86_64__)
#define GEMM_TARGET_AVX2
#define GEMM_TARGET_AVX512
#else
#define GEMM_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define GEMM_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#endif

#define SCALAR float
#define GEMM(name) name##_f32_avx2
#define TARGET GEMM_TARGET_AVX2
#define LANES 8
#define ROWS 6
#include "float_gemm_blocked.inc"

#define SCALAR double
#define GEMM(name) name##_f64_avx2
#define TARGET GEMM_TARGET_AVX2
#define LANES 4
#define ROWS 6
#include "float_gemm_blocked.inc"

#define SCALAR float
#define GEMM(name) name##_f32_avx512
#define TARGET GEMM_TARGET_AVX512
#define LANES 16
#define ROWS 12
#include "float_gemm_blocked.inc"

#define SCALAR double
#define GEMM(name) name##_f64_avx512
#define TARGET GEMM_TARGET_AVX512
#define LANES 8
#define ROWS 12
#include "float_gemm_blocked.inc"

// The reference the blocked instances are tested against; it needs no scratch memory.
#define GEMM_SCALAR(scalar, name)                                                                                     \
  static void name(ck_product product, int32_t m, int32_t n, int32_t k, scalar alpha, const scalar *a, int32_t lda,   \
                   const scalar *b, int32_t ldb, scalar beta, scalar *c, int32_t ldc) {                               \
    size_t a_row = product == CK_PRODUCT_TN ? 1 : lda, a_step = product == CK_PRODUCT_TN ? lda : 1;                   \
    size_t b_row = product == CK_PRODUCT_NT ? ldb : 1, b_step = product == CK_PRODUCT_NT ? 1 : ldb;                   \
    for (int32_t i = 0; i < m; ++i) {                                                                                 \
      for (int32_t j = 0; j < n; ++j) {                                                                               \
        scalar sum = 0;                                                                                               \
        const scalar *left = a + i * a_row, *right = b + j * b_row;                                                   \
        for (int32_t l = 0; l < k; ++l) sum += left[l * a_step] * right[l * b_step];                                  \
        scalar *out = c + (size_t)i * ldc + j;                                                                        \
        *out = beta == 0 ? alpha * sum : alpha * sum + beta * *out;                                                   \
      }                                                                                                               \
    }                                                                                                                 \
  }
GEMM_SCALAR(float, gemm_f32_scalar)
GEMM_SCALAR(double, gemm_f64_scalar)

void ck_gemm_f32(ck_isa isa, ck_product product, int32_t m, int32_t n, int32_t k, float alpha, const float *a,
                 int32_t lda, const float *b, int32_t ldb, float beta, float *c, int32_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (isa == CK_ISA_AVX512 && gemm_f32_avx512(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  if (isa == CK_ISA_AVX2 && gemm_f32_avx2(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  gemm_f32_scalar(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void ck_gemm_f64(ck_isa isa, ck_product product, int32_t m, int32_t n, int32_t k, double alpha, const double *a,
                 int32_t lda, const double *b, int32_t ldb, double beta, double *c, int32_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (isa == CK_ISA_AVX512 && gemm_f64_avx512(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  if (isa == CK_ISA_AVX2 && gemm_f64_avx2(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  gemm_f64_scalar(product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
