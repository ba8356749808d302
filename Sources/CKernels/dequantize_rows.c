// Rows of unsigned bytes back to floats. One subtraction of integers and one product a number: the same bits in every
// variant, which are the same loop in the target's vectors.
#include "include/vector_ops.h"

#define DEQUANTIZE(name, target)                                                                                       \
  target static void name(int32_t rows, int32_t width, const uint8_t *x, int32_t ldx, const float *scale,             \
                          const int32_t *zero, float *out, int32_t ldo) {                                             \
    for (int32_t row = 0; row < rows; row++) {                                                                        \
      const uint8_t *from = x + (int64_t)row * ldx;                                                                   \
      float *restrict to = out + (int64_t)row * ldo;                                                                  \
      const float factor = scale[row];                                                                                \
      const int32_t origin = zero[row];                                                                               \
      for (int32_t i = 0; i < width; i++) to[i] = factor * (float)(from[i] - origin);                                 \
    }                                                                                                                 \
  }
DEQUANTIZE(dequantize_rows_scalar, )
#if defined(__x86_64__)
DEQUANTIZE(dequantize_rows_avx2, __attribute__((target("avx2,fma"))))
DEQUANTIZE(dequantize_rows_avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))))
#endif

void ck_dequantize_rows(ck_isa isa, int32_t rows, int32_t width, const uint8_t *x, int32_t ldx, const float *scale,
                        const int32_t *zero, float *out, int32_t ldo) {
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: dequantize_rows_avx512(rows, width, x, ldx, scale, zero, out, ldo); return;
    case CK_ISA_AVX2: dequantize_rows_avx2(rows, width, x, ldx, scale, zero, out, ldo); return;
#endif
    default: dequantize_rows_scalar(rows, width, x, ldx, scale, zero, out, ldo);
  }
}
