// Rows of heads, in both precisions and every variant.
#include "include/head_products.h"

#define SCALAR float
#define NAME(x) x##_f32_scalar
#define TARGET
#include "head_products.inc"

#define SCALAR double
#define NAME(x) x##_f64_scalar
#define TARGET
#include "head_products.inc"

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))

#define SCALAR float
#define NAME(x) x##_f32_avx2
#define TARGET AVX2
#include "head_products.inc"

#define SCALAR double
#define NAME(x) x##_f64_avx2
#define TARGET AVX2
#include "head_products.inc"

#define SCALAR float
#define NAME(x) x##_f32_avx512
#define TARGET AVX512
#include "head_products.inc"

#define SCALAR double
#define NAME(x) x##_f64_avx512
#define TARGET AVX512
#include "head_products.inc"

#define DISPATCH(name, ...)                                                                                            \
  switch (isa) {                                                                                                       \
    case CK_ISA_AVX512: name##_avx512(__VA_ARGS__); return;                                                            \
    case CK_ISA_AVX2: name##_avx2(__VA_ARGS__); return;                                                                \
    default: name##_scalar(__VA_ARGS__);                                                                               \
  }
#else
#define DISPATCH(name, ...) name##_scalar(__VA_ARGS__);
#endif

#define ENTRIES(scalar, suffix)                                                                                        \
  void ck_head_scores_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *u, int32_t ldu,   \
                               const scalar *x, int32_t ldx, scalar *scores, int32_t lds) {                            \
    DISPATCH(head_scores_##suffix, rows, heads, width, u, ldu, x, ldx, scores, lds)                                    \
  }                                                                                                                    \
  void ck_scale_heads_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *factors,          \
                               int32_t ldf, const scalar *x, int32_t ldx, scalar *out, int32_t ldo) {                  \
    DISPATCH(scale_heads_##suffix, rows, heads, width, factors, ldf, x, ldx, out, ldo)                                 \
  }                                                                                                                    \
  void ck_sum_heads_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *factors,            \
                             int32_t ldf, const scalar *x, int32_t ldx, scalar *out, int32_t ldo) {                    \
    DISPATCH(sum_heads_##suffix, rows, heads, width, factors, ldf, x, ldx, out, ldo)                                   \
  }
ENTRIES(float, f32)
ENTRIES(double, f64)
