// Quantization of one row on AVX-512: the range, then the bytes. Gives the bytes of the scalar form.
#include "quantize_avx512.h"

#if defined(__x86_64__)
typedef struct row_range {
  __m512 low[4], high[4];
} row_range;

/// Widens the range by `count` values, 64 at most.
CK_AVX512_INLINE void widen(row_range *range, int32_t count, const float *x) {
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    __m512 value = _mm512_maskz_loadu_ps(part_mask(count, part), x + 16 * part);
    range->low[part] = _mm512_min_ps(value, range->low[part]); // this order: a NaN leaves the range as it is
    range->high[part] = _mm512_max_ps(value, range->high[part]);
  }
}

CK_AVX512_INLINE void quantize_part(int32_t count, const float *x, row_quantizer quantizer, uint8_t *out) {
  __m512 values[4];
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++)
    values[part] = _mm512_maskz_loadu_ps(part_mask(count, part), x + 16 * part);
  store_bytes(count, out, quantize_avx512(values, quantizer));
}

CK_AVX512 void quantize_row_avx512(int32_t width, const float *x, uint8_t *out, float *scale, int32_t *zero) {
  const __m512 none = _mm512_setzero_ps();
  row_range range = {{none, none, none, none}, {none, none, none, none}};
  int32_t i = 0;
  for (; i + QUANTIZED <= width; i += QUANTIZED) widen(&range, QUANTIZED, x + i);
  if (i < width) widen(&range, width - i, x + i);
  __m512 low = _mm512_min_ps(_mm512_min_ps(range.low[0], range.low[1]), _mm512_min_ps(range.low[2], range.low[3]));
  __m512 high = _mm512_max_ps(_mm512_max_ps(range.high[0], range.high[1]), _mm512_max_ps(range.high[2], range.high[3]));
  row_quantizer quantizer = quantizer_of_range(_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high));
  for (i = 0; i + QUANTIZED <= width; i += QUANTIZED) quantize_part(QUANTIZED, x + i, quantizer, out + i);
  if (i < width) quantize_part(width - i, x + i, quantizer, out + i);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}
#endif
