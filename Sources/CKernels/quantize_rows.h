// What quantizing a row takes, for the kernels that end in it.
#pragma once
#include <math.h>
#include <stdint.h>

#if !defined(CK_USE_SIMDE)
#include "vector_math_avx2.h"
#endif

#define QUANTIZER_LIMIT 1e37f     // keeps the range of infinite values finite
#define QUANTIZER_SMALLEST 1e-30f // a narrower range is taken for a row of zeros; 255 / range stays finite

/// byte = clamp(round(x * inverse) + zero), x ~= scale * (byte - zero)
typedef struct row_quantizer {
  float scale, inverse, zero;
} row_quantizer;

/// The quantizer of rows whose values lie in `low...high`.
row_quantizer quantizer_of_range(float low, float high);

static inline uint8_t quantize_scalar(float x, row_quantizer quantizer) {
  float value = nearbyintf(x * quantizer.inverse) + quantizer.zero;
  value = value < 255.0f ? value : 255.0f; // as vminps and vmaxps treat NaN
  value = value > 0.0f ? value : 0.0f;
  return (uint8_t)value;
}

#if defined(__x86_64__)
/// One row of `width` values by the AVX-512 form.
void quantize_row_avx512(int32_t width, const float *x, uint8_t *out, float *scale, int32_t *zero);
#endif

#if defined(__x86_64__) && !defined(CK_USE_SIMDE)
/// 32 values to 32 bytes.
CK_AVX2_INLINE __m256i quantize_avx2(const __m256 values[4], row_quantizer quantizer) {
  const __m256 inverse = _mm256_set1_ps(quantizer.inverse), zero = _mm256_set1_ps(quantizer.zero);
  __m256i integers[4];
  for (int part = 0; part < 4; part++) {
    __m256 value = _mm256_round_ps(_mm256_mul_ps(values[part], inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    value = _mm256_min_ps(_mm256_add_ps(value, zero), _mm256_set1_ps(255.0f));
    integers[part] = _mm256_cvtps_epi32(_mm256_max_ps(value, _mm256_setzero_ps()));
  }
  __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(integers[0], integers[1]),
                                      _mm256_packus_epi32(integers[2], integers[3]));
  // The packs work within halves of a register: put the groups of four back in order.
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
#endif
