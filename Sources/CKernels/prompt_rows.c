// Rows that read frozen tokens: the variants, and quantizing what they read.
#include "include/prompt_rows.h"

#include <math.h>
#include <string.h>

/// The score of what a row does not read.
static const float UNREAD = -1e30f;

static inline int32_t padded_tokens(int32_t tokens) {
  return (tokens + CK_FROZEN_LANES - 1) / CK_FROZEN_LANES * CK_FROZEN_LANES;
}

int32_t ck_prompt_weights_stride(int32_t frozen, int32_t earlier, int32_t rows) {
  return padded_tokens(frozen) + padded_tokens(earlier) + padded_tokens(rows);
}

#define LANES 4
#define TARGET
#define NAME(x) x##_scalar
#include "prompt_rows.inc"

#if defined(__x86_64__)
#define LANES 8
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) x##_avx2
#include "prompt_rows.inc"

#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define NAME(x) x##_avx512
#include "prompt_rows.inc"
#endif

/// max|x| / 127, and its inverse, 0 for what is too small to divide by.
static float scale_of(int32_t count, const float *x, float *inverse) {
  float largest = 0;
  for (int32_t i = 0; i < count; i++) {
    float size = fabsf(x[i]);
    largest = size > largest ? size : largest;
  }
  float scale = largest / 127;
  *inverse = scale > 1e-30f ? 1 / scale : 0;
  return scale;
}

static int8_t quantize(float x, float inverse) {
  float steps = rintf(x * inverse);
  return (int8_t)(steps > 127 ? 127 : steps < -127 ? -127 : steps);
}

void ck_freeze_keys(int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx, int8_t *keys,
                    float *scales) {
  int32_t padded = padded_tokens(tokens);
  memset(keys, 0, (size_t)heads * (size_t)head_width * (size_t)padded);
  memset(scales, 0, (size_t)heads * (size_t)padded * sizeof *scales);
  for (int32_t t = 0; t < tokens; t++) {
    for (int32_t head = 0; head < heads; head++) {
      const float *from = x + (int64_t)t * ldx + head * head_width;
      float inverse;
      scales[head * padded + t] = scale_of(head_width, from, &inverse);
      int8_t *to = keys + (int64_t)head * head_width * padded + t;
      for (int32_t d = 0; d < head_width; d++) to[(int64_t)d * padded] = quantize(from[d], inverse);
    }
  }
}

void ck_freeze_values(int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx, int8_t *values,
                      float *scales) {
  int32_t padded = padded_tokens(tokens);
  memset(scales, 0, (size_t)heads * (size_t)padded * sizeof *scales);
  for (int32_t t = 0; t < tokens; t++) {
    for (int32_t head = 0; head < heads; head++) {
      const float *from = x + (int64_t)t * ldx + head * head_width;
      float inverse;
      scales[head * padded + t] = scale_of(head_width, from, &inverse);
      int8_t *to = values + ((int64_t)head * tokens + t) * head_width;
      for (int32_t d = 0; d < head_width; d++) to[d] = quantize(from[d], inverse);
    }
  }
}

/// The widest variant whose vectors a head's width is a multiple of.
static ck_isa variant(ck_isa isa, int32_t head_width) {
  return isa == CK_ISA_AVX512 && head_width % 16 != 0 ? CK_ISA_AVX2 : isa;
}

void ck_prompt_attention(ck_isa isa, const ck_prompt_rows *rows, const float *projections, float *weights, float *out) {
  switch (variant(isa, rows->head_width)) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: attention_avx512(rows, projections, weights, out); return;
    case CK_ISA_AVX2: attention_avx2(rows, projections, weights, out); return;
#endif
    default: attention_scalar(rows, projections, weights, out);
  }
}

void ck_prompt_attention_backward(ck_isa isa, const ck_prompt_rows *rows, const float *projections,
                                  const float *weights, const float *gradient, float *projection_gradient,
                                  float *scratch) {
  switch (variant(isa, rows->head_width)) {
#if defined(__x86_64__)
    case CK_ISA_AVX512:
      attention_backward_avx512(rows, projections, weights, gradient, projection_gradient, scratch);
      return;
    case CK_ISA_AVX2:
      attention_backward_avx2(rows, projections, weights, gradient, projection_gradient, scratch);
      return;
#endif
    default: attention_backward_scalar(rows, projections, weights, gradient, projection_gradient, scratch);
  }
}

void ck_layer_norm_backward(ck_isa isa, int32_t rows, int32_t width, const float *x, const float *gain, float epsilon,
                            const float *dy, float *dx) {
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: layer_norm_backward_avx512(rows, width, x, gain, epsilon, dy, dx); return;
    case CK_ISA_AVX2: layer_norm_backward_avx2(rows, width, x, gain, epsilon, dy, dx); return;
#endif
    default: layer_norm_backward_scalar(rows, width, x, gain, epsilon, dy, dx);
  }
}

void ck_activation_backward(ck_isa isa, ck_epilogue activation, size_t count, const float *x, float *gradient) {
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: activation_backward_avx512(activation, count, x, gradient); return;
    case CK_ISA_AVX2: activation_backward_avx2(activation, count, x, gradient); return;
#endif
    default: activation_backward_scalar(activation, count, x, gradient);
  }
}

void ck_scale_columns(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *factors,
                      float *out) {
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: scale_columns_avx512(rows, width, x, ldx, factors, out); return;
    case CK_ISA_AVX2: scale_columns_avx2(rows, width, x, ldx, factors, out); return;
#endif
    default: scale_columns_scalar(rows, width, x, ldx, factors, out);
  }
}
