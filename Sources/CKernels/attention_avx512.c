// One head of attention on AVX-512, in float and in bfloat16. The form itself is attention_avx512.inc.
//
// Logic tested against the scalar form by Tests/SIMDe/run.sh.
#include "attention_internal.h"

#if defined(__x86_64__)
#include <math.h>
#include <string.h>

#include "vector_math_avx512.h"

#if defined(CK_USE_SIMDE)
#define CK_BF16
#define CK_BF16_INLINE static inline __attribute__((always_inline))
#else
#define CK_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")))
#define CK_BF16_INLINE \
  static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")))
#endif

enum {
  QUERY_BLOCK = 24,
  TILE_ROWS = 6,
  TILE_PANELS = 4, // 6 x 64 outputs: 24 of 32 registers
  LANES = 16,      // columns of a panel
};

static int32_t divide_up(int32_t a, int32_t b) { return (a + b - 1) / b; }

/// The first `count` of 16 lanes; all from 16 on, none below 1.
CK_AVX512_INLINE __mmask16 first_lanes(int32_t count) {
  return count >= LANES ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/// The first `count` (16 at most) floats from p, then zeros.
CK_AVX512_INLINE __m512 load_first(int32_t count, const float *p) {
  return count <= 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(first_lanes(count), p);
}

CK_AVX512_INLINE void store_first(int32_t count, float *p, __m512 values) {
  _mm512_mask_storeu_ps(p, first_lanes(count), values);
}

/// 16 rows of 16 elements of 32 bits, transposed.
CK_AVX512_INLINE void transpose(__m512i r[LANES]) {
  __m512i s[LANES];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) { // pairs of rows
    s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) { // fours of rows: element c of each 128-bit part in r[4 i + c]
    r[4 * i] = _mm512_unpacklo_epi64(s[4 * i], s[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(s[4 * i], s[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(s[4 * i + 1], s[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(s[4 * i + 1], s[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) { // 128-bit parts, even and odd ones
    __m512i even0 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88), odd0 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xDD);
    __m512i even8 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);
    __m512i odd8 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xDD);
    s[c] = _mm512_shuffle_i32x4(even0, even8, 0x88);
    s[4 + c] = _mm512_shuffle_i32x4(odd0, odd8, 0x88);
    s[8 + c] = _mm512_shuffle_i32x4(even0, even8, 0xDD);
    s[12 + c] = _mm512_shuffle_i32x4(odd0, odd8, 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) r[i] = s[i];
}

// Float: an element is a number. The exponential is good to 2e-7, as the products' rounding is.
CK_AVX512_INLINE __m512i join_f32(const __m512 parts[1]) { return _mm512_castps_si512(parts[0]); }
CK_AVX512_INLINE __m512i load_f32(int32_t count, const float *p) { return _mm512_castps_si512(load_first(count, p)); }
CK_AVX512_INLINE __m512i pair_rows_f32(__m512 row, __m512 next) {
  (void)next;
  return _mm512_castps_si512(row);
}
CK_AVX512_INLINE __m512 multiply_add_f32(__m512 sum, __m512i a, __m512i b) {
  return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
}
/// e^(x * factor)
CK_AVX512_INLINE __m512 power_f32(__m512 x, __m512 factor) { return exp_avx512(_mm512_mul_ps(x, factor)); }

#define FORM(name) name##_f32
#define FORM_TARGET CK_AVX512
#define FORM_INLINE CK_AVX512_INLINE
#define NUMBER float
#define NUMBERS 1
#define LOG_BASE 1.0f // weights are powers of e
#define KERNEL attention_avx512
#include "attention_avx512.inc"

// bfloat16: an element is two consecutive numbers.

/// 16 floats to 16 bfloat16 twice, to nearest even.
CK_BF16_INLINE __m512i narrow(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

CK_BF16_INLINE __m512i join_bf16(const __m512 parts[2]) { return narrow(parts[0], parts[1]); }
CK_BF16_INLINE __m512i load_bf16(int32_t count, const float *p) {
  return narrow(load_first(count, p), load_first(count - LANES, p + LANES));
}
CK_BF16_INLINE __m512i pair_rows_bf16(__m512 row, __m512 next) {
  const __m512i interleave = _mm512_set_epi32(
      0x1F000F, 0x1E000E, 0x1D000D, 0x1C000C, 0x1B000B, 0x1A000A, 0x190009, 0x180008, 0x170007, 0x160006, 0x150005,
      0x140004, 0x130003, 0x120002, 0x110001, 0x100000);
  return _mm512_permutexvar_epi16(interleave, narrow(row, next));
}
CK_BF16_INLINE __m512 multiply_add_bf16(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/// 2^(x * factor) for x <= 0, to 1.2e-4 of its value (half a unit of bfloat16 is 2e-3) and exact for 0. 2^r on [-1/2, 1/2]
/// by a polynomial.
CK_BF16_INLINE __m512 power_bf16(__m512 x, __m512 factor) {
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, factor), 8), r = _mm512_fmsub_ps(x, factor, n);
  __m512 p = _mm512_set1_ps(5.50089308e-02f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.42210959e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93282927e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

#define FORM(name) name##_bf16
#define FORM_TARGET CK_BF16
#define FORM_INLINE CK_BF16_INLINE
#define NUMBER uint16_t
#define NUMBERS 2
#define LOG_BASE 1.44269504f // weights are powers of 2: log2(e)
#define KERNEL attention_avx512_bf16
#include "attention_avx512.inc"

size_t attention_scratch_avx512(int32_t tokens, int32_t head_width) {
  size_t exact = scratch_f32(tokens, head_width), rounded = scratch_bf16(tokens, head_width);
  return exact > rounded ? exact : rounded;
}
#endif
