// Quantizing sixty-four floats to bytes, for the AVX-512 kernels that end in it.
#pragma once
#include "quantize_rows.h"
#include "vector_math_avx512.h"

#if defined(__x86_64__)
enum { QUANTIZED = 64 }; // values of one register of bytes, four registers of floats

/// The lanes of part `part` that are among the first `count` of 64.
CK_AVX512_INLINE __mmask16 part_mask(int32_t count, int part) {
  int32_t rest = count - 16 * part;
  return rest >= 16 ? 0xFFFF : rest <= 0 ? 0 : (__mmask16)((1u << rest) - 1);
}

/// 64 values to 64 bytes, as `quantize_scalar`: values too large, infinite and NaN end at 255, too small ones at 0.
CK_AVX512_INLINE __m512i quantize_avx512(const __m512 values[4], row_quantizer quantizer) {
  // A bound that stays above 255 with any zero point and fits 16 bits; min takes its second operand for a NaN.
  const __m512 inverse = _mm512_set1_ps(quantizer.inverse), bound = _mm512_set1_ps(1024.0f);
  const __m512i zero = _mm512_set1_epi16((int16_t)quantizer.zero);
  __m512i integers[4];
  for (int part = 0; part < 4; part++)
    integers[part] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_mul_ps(values[part], inverse), bound));
  __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(integers[0], integers[1]), zero);
  __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(integers[2], integers[3]), zero);
  // The packs work within quarters of a register: put the groups of four back in order.
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
}

/// Stores the first `count` of 64 bytes.
CK_AVX512_INLINE void store_bytes(int32_t count, uint8_t *out, __m512i bytes) {
  if (count >= QUANTIZED) _mm512_storeu_si512(out, bytes);
  else _mm512_mask_storeu_epi8(out, ((__mmask64)1 << count) - 1, bytes);
}
#endif
