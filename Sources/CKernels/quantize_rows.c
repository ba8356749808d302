// Unsigned 8-bit quantization of rows `[rows, width]`, asymmetric, one scale and zero point a row.
//
// The range is widened to hold 0, so 0 is represented exactly. Rounds to nearest even. A NaN takes no part in the range
// and becomes 255; infinities saturate. All variants give the same bytes.
#include "quantize_rows.h"

#include <math.h>
#include <string.h>

#include "include/vector_ops.h"
#include "vector_math_avx2.h"

row_quantizer quantizer_of_range(float low, float high) {
  low = fmaxf(fminf(low, 0.0f), -QUANTIZER_LIMIT);
  high = fminf(fmaxf(high, 0.0f), QUANTIZER_LIMIT);
  float range = high - low;
  if (!(range > QUANTIZER_SMALLEST)) return (row_quantizer){.scale = 1.0f, .inverse = 0.0f, .zero = 0.0f};
  float inverse = 255.0f / range;
  return (row_quantizer){.scale = range / 255.0f, .inverse = inverse, .zero = nearbyintf(-low * inverse)};
}

static void quantize_row_scalar(int32_t width, const float *x, uint8_t *out, float *scale, int32_t *zero) {
  float low = 0, high = 0;
  for (int32_t i = 0; i < width; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  row_quantizer quantizer = quantizer_of_range(low, high);
  for (int32_t i = 0; i < width; i++) out[i] = quantize_scalar(x[i], quantizer);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}

#if defined(__x86_64__)
CK_AVX2 static void quantize_row_avx2(int32_t width, const float *x, uint8_t *out, float *scale, int32_t *zero) {
  __m256 lows = _mm256_setzero_ps(), highs = _mm256_setzero_ps();
  int32_t i = 0;
  for (; i + 8 <= width; i += 8) {
    __m256 value = _mm256_loadu_ps(x + i);
    lows = _mm256_min_ps(value, lows); // this order: a NaN leaves the range as it is
    highs = _mm256_max_ps(value, highs);
  }
  float low = min_avx2(lows), high = max_avx2(highs);
  for (; i < width; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  row_quantizer quantizer = quantizer_of_range(low, high);
  for (i = 0; i + 32 <= width; i += 32) {
    __m256 values[4];
    for (int part = 0; part < 4; part++) values[part] = _mm256_loadu_ps(x + i + 8 * part);
    _mm256_storeu_si256((__m256i *)(out + i), quantize_avx2(values, quantizer));
  }
  for (; i < width; i++) out[i] = quantize_scalar(x[i], quantizer);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}
#endif

void ck_quantize_rows(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, uint8_t *out, int32_t ldo,
                      float *scale, int32_t *zero) {
  for (int32_t row = 0; row < rows; row++) {
    const float *from = x + (int64_t)row * ldx;
    uint8_t *to = out + (int64_t)row * ldo;
#if defined(__x86_64__)
    if (isa == CK_ISA_AVX512) quantize_row_avx512(width, from, to, scale + row, zero + row);
    else if (isa == CK_ISA_AVX2) quantize_row_avx2(width, from, to, scale + row, zero + row);
    else
#endif
      quantize_row_scalar(width, from, to, scale + row, zero + row);
    memset(to + width, zero[row], (size_t)(ldo - width));
  }
}
