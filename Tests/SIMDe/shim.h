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

#define _mm512_cvtps_epi32 shim_cvtps_epi32
#define _mm512_cvtepi32_ps shim_cvtepi32_ps
#define _mm512_maskz_loadu_ps shim_maskz_loadu_ps
#define _mm512_mask_storeu_ps shim_mask_storeu_ps
