// SIMDe under the intrinsics' own names, and the few that Debian's version of it lacks. See run.sh.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <math.h>
#include <simde/x86/avx512.h>
#include <stdint.h>
#include <string.h>

#define __mmask16 uint16_t

static inline simde__m512i shim_cvtps_epi32(simde__m512 x) {
  float from[16];
  int32_t to[16];
  memcpy(from, &x, sizeof from);
  for (int i = 0; i < 16; i++) to[i] = (int32_t)nearbyintf(from[i]);
  simde__m512i result;
  memcpy(&result, to, sizeof to);
  return result;
}

static inline simde__m512 shim_cvtepi32_ps(simde__m512i x) {
  int32_t from[16];
  float to[16];
  memcpy(from, &x, sizeof from);
  for (int i = 0; i < 16; i++) to[i] = (float)from[i];
  simde__m512 result;
  memcpy(&result, to, sizeof to);
  return result;
}

static inline simde__m512 shim_maskz_loadu_ps(uint16_t mask, const float *p) {
  float to[16];
  for (int i = 0; i < 16; i++) to[i] = mask >> i & 1 ? p[i] : 0;
  simde__m512 result;
  memcpy(&result, to, sizeof to);
  return result;
}

static inline void shim_mask_storeu_ps(float *p, uint16_t mask, simde__m512 x) {
  float from[16];
  memcpy(from, &x, sizeof from);
  for (int i = 0; i < 16; i++)
    if (mask >> i & 1) p[i] = from[i];
}

static inline float shim_reduce_max_ps(simde__m512 x) {
  float from[16];
  memcpy(from, &x, sizeof from);
  for (int i = 1; i < 16; i++) from[0] = from[i] > from[0] ? from[i] : from[0];
  return from[0];
}

static inline float shim_reduce_min_ps(simde__m512 x) {
  float from[16];
  memcpy(from, &x, sizeof from);
  for (int i = 1; i < 16; i++) from[0] = from[i] < from[0] ? from[i] : from[0];
  return from[0];
}

static inline void shim_mask_storeu_epi8(uint8_t *p, uint64_t mask, simde__m512i x) {
  uint8_t from[64];
  memcpy(from, &x, sizeof from);
  for (int i = 0; i < 64; i++)
    if (mask >> i & 1) p[i] = from[i];
}

static inline float shim_reduce_add_ps(simde__m512 x) {
  float from[16];
  memcpy(from, &x, sizeof from);
  for (int i = 1; i < 16; i++) from[0] += from[i];
  return from[0];
}

/// To bfloat16, nearest even; not for NaN.
static inline uint16_t shim_bfloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline simde__m512i shim_cvtne2ps_pbh(simde__m512 high, simde__m512 low) {
  float from[32];
  uint16_t to[32];
  memcpy(from, &low, sizeof low);
  memcpy(from + 16, &high, sizeof high);
  for (int i = 0; i < 32; i++) to[i] = shim_bfloat16(from[i]);
  simde__m512i result;
  memcpy(&result, to, sizeof to);
  return result;
}

static inline simde__m512 shim_dpbf16_ps(simde__m512 sum, simde__m512i a, simde__m512i b) {
  uint32_t left[16], right[16];
  float sums[16];
  memcpy(left, &a, sizeof left);
  memcpy(right, &b, sizeof right);
  memcpy(sums, &sum, sizeof sums);
  for (int i = 0; i < 16; i++) {
    uint32_t parts[4] = {left[i] << 16, right[i] << 16, left[i] & 0xFFFF0000, right[i] & 0xFFFF0000};
    float values[4];
    memcpy(values, parts, sizeof values);
    sums[i] += values[2] * values[3] + values[0] * values[1];
  }
  memcpy(&sum, sums, sizeof sums);
  return sum;
}

#define __m512bh simde__m512i
#undef _mm512_dpbf16_ps
#define __mmask64 uint64_t
#define _mm512_mask_storeu_epi8 shim_mask_storeu_epi8
#define _mm512_reduce_min_ps shim_reduce_min_ps
#define _mm512_reduce_max_ps shim_reduce_max_ps
#define _mm512_reduce_add_ps shim_reduce_add_ps
#define _mm512_cvtne2ps_pbh shim_cvtne2ps_pbh
#define _mm512_dpbf16_ps shim_dpbf16_ps
#define _mm512_cvtps_epi32 shim_cvtps_epi32
#define _mm512_cvtepi32_ps shim_cvtepi32_ps
#define _mm512_maskz_loadu_ps shim_maskz_loadu_ps
#define _mm512_mask_storeu_ps shim_mask_storeu_ps
