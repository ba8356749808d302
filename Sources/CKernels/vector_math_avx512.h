// exp, QuickGELU and GELU on sixteen floats. Every function that uses them carries `CK_AVX512`.
#pragma once
#if defined(__x86_64__)
#if defined(CK_USE_SIMDE) // intrinsics come from Tests/SIMDe/shim.h, on machines without AVX-512
#define CK_AVX512
#define CK_AVX512_INLINE static inline __attribute__((always_inline))
#else
#include <immintrin.h>
#define CK_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define CK_AVX512_INLINE \
  static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#endif

/// exp(x): 2^n * p(r) with r in [-ln 2 / 2, ln 2 / 2] and a polynomial of degree 6 (Taylor's would do as well as a
/// minimax one here). Relative error below 2e-7 for x in [-87, 88]; clamped outside, so never 0, infinite or trapping.
CK_AVX512_INLINE __m512 exp_avx512(__m512 x) {
  // The operand order makes a NaN take the bound: min and max return their second operand then.
  x = _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(88.0f)), _mm512_set1_ps(-87.0f));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x); // ln 2 in two parts: n times the first is exact
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 720);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  __m512i power = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), power));
}

/// x * sigmoid(1.702 x) = x / (1 + 2^(-1.702 log2(e) x)). The power is good to 2.6e-6 of its value, by a polynomial on
/// [-1/2, 1/2]; what that leaves in the result is at most 4e-7, since the sigmoid is flat where x is large.
CK_AVX512_INLINE __m512 quick_gelu_avx512(__m512 x) {
  const __m512 factor = _mm512_set1_ps(-1.702f * 1.44269504f);
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, factor), 8), r = _mm512_fmsub_ps(x, factor, n);
  __m512 p = _mm512_set1_ps(9.57010179e-3f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.59178603e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.40247448e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93121815e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.99999261e-1f));
  return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), _mm512_scalef_ps(p, n)));
}

/// GELU by erf, from Abramowitz and Stegun 7.1.26: erf(z) = 1 - t (a1 + t (a2 + ...)) exp(-z^2), t = 1 / (1 + p z),
/// absolute error of erf at most 1.5e-7 before rounding. For negative x the tail is used directly, without 1 - erf.
CK_AVX512_INLINE __m512 gelu_avx512(__m512 x) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  __m512 z = _mm512_mul_ps(_mm512_andnot_ps(sign, x), _mm512_set1_ps(0.70710678f));
  __m512 t = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), _mm512_set1_ps(1.0f)));
  __m512 p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  __m512 e = exp_avx512(_mm512_xor_ps(sign, _mm512_mul_ps(z, z)));
  __m512 tail = _mm512_mul_ps(_mm512_set1_ps(0.5f), _mm512_mul_ps(_mm512_mul_ps(p, t), e)); // Phi(-|x|)
  __m512 phi = _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(x)), _mm512_sub_ps(_mm512_set1_ps(1.0f), tail), tail);
  return _mm512_mul_ps(x, phi);
}
#endif
