// LayerNorm of one row on AVX-512, alone and followed by quantization. See layer_norm.c.
//
// A row is gone through 64 values at a time; the helpers take how many of the 64 there are, so that whole parts need no
// masks.
#include "layer_norm_internal.h"
#include "quantize_avx512.h"

#if defined(__x86_64__)
#include <math.h>

/// Four partial sums, so that an addition need not wait for the last.
typedef struct partial_sums {
  __m512 of[4];
} partial_sums;

CK_AVX512_INLINE partial_sums no_sums(void) {
  const __m512 none = _mm512_setzero_ps();
  return (partial_sums){{none, none, none, none}};
}

CK_AVX512_INLINE float total(partial_sums sums) {
  return _mm512_reduce_add_ps(
      _mm512_add_ps(_mm512_add_ps(sums.of[0], sums.of[1]), _mm512_add_ps(sums.of[2], sums.of[3])));
}

CK_AVX512_INLINE void add_values(partial_sums *sums, int32_t count, const float *x) {
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++)
    sums->of[part] = _mm512_add_ps(sums->of[part], _mm512_maskz_loadu_ps(part_mask(count, part), x + 16 * part));
}

CK_AVX512_INLINE void add_squares(partial_sums *sums, int32_t count, const float *x, __m512 mean) {
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    __mmask16 mask = part_mask(count, part);
    __m512 difference = _mm512_maskz_sub_ps(mask, _mm512_maskz_loadu_ps(mask, x + 16 * part), mean);
    sums->of[part] = _mm512_fmadd_ps(difference, difference, sums->of[part]);
  }
}

CK_AVX512_INLINE row_moments moments_avx512(int32_t width, const float *x, float epsilon) {
  partial_sums sums = no_sums(), squares = no_sums();
  int32_t i = 0;
  for (; i + QUANTIZED <= width; i += QUANTIZED) add_values(&sums, QUANTIZED, x + i);
  if (i < width) add_values(&sums, width - i, x + i);
  float mean = total(sums) / (float)width;
  const __m512 means = _mm512_set1_ps(mean);
  for (i = 0; i + QUANTIZED <= width; i += QUANTIZED) add_squares(&squares, QUANTIZED, x + i, means);
  if (i < width) add_squares(&squares, width - i, x + i, means);
  return (row_moments){mean, 1.0f / sqrtf(total(squares) / (float)width + epsilon)};
}

/// `count` normalised values from column i, 64 at most; zeros follow them unless the row is not finite.
CK_AVX512_INLINE void normalize_avx512(const layer_norm_row *row, row_moments moments, int32_t i, int32_t count,
                                       __m512 values[4]) {
  const __m512 mean = _mm512_set1_ps(moments.mean), inverse = _mm512_set1_ps(moments.inverse);
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    __mmask16 mask = part_mask(count, part);
    int32_t column = i + 16 * part;
    __m512 value = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, row->x + column), mean), inverse);
    values[part] = _mm512_fmadd_ps(value, _mm512_maskz_loadu_ps(mask, row->gain + column),
                                   _mm512_maskz_loadu_ps(mask, row->bias + column));
  }
}

CK_AVX512_INLINE void layer_norm_part(const layer_norm_row *row, row_moments moments, int32_t i, int32_t count,
                                      float *out) {
  __m512 values[4];
  normalize_avx512(row, moments, i, count, values);
  for (int part = 0; part < 4; part++)
    _mm512_mask_storeu_ps(out + i + 16 * part, part_mask(count, part), values[part]);
}

CK_AVX512_INLINE void widen(const layer_norm_row *row, row_moments moments, int32_t i, int32_t count, __m512 *low,
                            __m512 *high) {
  __m512 values[4];
  normalize_avx512(row, moments, i, count, values);
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    *low = _mm512_min_ps(values[part], *low); // this order: a NaN leaves the range as it is
    *high = _mm512_max_ps(values[part], *high);
  }
}

CK_AVX512_INLINE void quantize_part(const layer_norm_row *row, row_moments moments, int32_t i, int32_t count,
                                    row_quantizer quantizer, uint8_t *out) {
  __m512 values[4];
  normalize_avx512(row, moments, i, count, values);
  store_bytes(count, out + i, quantize_avx512(values, quantizer));
}

CK_AVX512 void layer_norm_row_avx512(const layer_norm_row *row, float *out) {
  const layer_norm_row r = *row; // a copy that stores to out cannot change
  row_moments moments = moments_avx512(r.width, r.x, r.epsilon);
  int32_t i = 0;
  for (; i + QUANTIZED <= r.width; i += QUANTIZED) layer_norm_part(&r, moments, i, QUANTIZED, out);
  if (i < r.width) layer_norm_part(&r, moments, i, r.width - i, out);
}

CK_AVX512 void layer_norm_quantize_row_avx512(const layer_norm_row *row, uint8_t *out, float *scale, int32_t *zero) {
  const layer_norm_row r = *row;
  row_moments moments = moments_avx512(r.width, r.x, r.epsilon);
  __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
  int32_t i = 0;
  for (; i + QUANTIZED <= r.width; i += QUANTIZED) widen(&r, moments, i, QUANTIZED, &low, &high);
  if (i < r.width) widen(&r, moments, i, r.width - i, &low, &high);
  row_quantizer quantizer = quantizer_of_range(_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high));
  for (i = 0; i + QUANTIZED <= r.width; i += QUANTIZED) quantize_part(&r, moments, i, QUANTIZED, quantizer, out);
  if (i < r.width) quantize_part(&r, moments, i, r.width - i, quantizer, out);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}
#endif
