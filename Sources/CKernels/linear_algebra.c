#include "linear_algebra.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "float_gemm.h"

#define BLOCK CK_DIAGONAL_BLOCK

#define SCALAR float
#define LA(name) name##_f32
#include "linear_algebra_blocked.inc"

#define SCALAR double
#define LA(name) name##_f64
#include "linear_algebra_blocked.inc"

// acos(x) = sqrt(1 - x) p(x) on [0, 1] (Abramowitz and Stegun 4.4.46, error 2e-8), mirrored for negative x.
static inline __attribute__((always_inline)) void arc_cosine(size_t count, float *x) {
  for (size_t i = 0; i < count; ++i) {
    float c = x[i] < -1 ? -1 : x[i] > 1 ? 1 : x[i];
    float u = fabsf(c);
    float p = -0.0012624911f;
    p = p * u + 0.0066700901f;
    p = p * u - 0.0170881256f;
    p = p * u + 0.0308918810f;
    p = p * u - 0.0501743046f;
    p = p * u + 0.0889789874f;
    p = p * u - 0.2145988016f;
    p = p * u + 1.5707963050f;
    float angle = sqrtf(1 - u) * p;
    float rest = c < 0 ? angle : 3.14159265f - angle;
    x[i] = (sqrtf((1 - u) * (1 + u)) + rest * c) * 0.318309886f;
  }
}

static void arc_cosine_scalar(size_t count, float *x) { arc_cosine(count, x); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void arc_cosine_avx2(size_t count, float *x) { arc_cosine(count, x); }

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) static void arc_cosine_avx512(size_t count,
                                                                                               float *x) {
  arc_cosine(count, x);
}
#endif

void ck_arc_cosine_f32(ck_isa isa, size_t count, float *x) {
#if defined(__x86_64__)
  if (isa == CK_ISA_AVX512) return arc_cosine_avx512(count, x);
  if (isa == CK_ISA_AVX2) return arc_cosine_avx2(count, x);
#endif
  arc_cosine_scalar(count, x);
}
