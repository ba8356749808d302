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

enum { TILE = CK_FROZEN_LANES }; // tokens and numbers of a tile of keys

typedef int8_t tile_row __attribute__((vector_size(TILE), aligned(1)));

/// Writes the first `columns` columns of a tile, `stride` apart. Interleaving the rows of the upper half with those of the
/// lower one moves a bit from a number's row to its column; after four times, all bits have changed places.
static inline __attribute__((always_inline)) void transpose_tile(const int8_t *tile, int32_t columns, int8_t *to,
                                                                 int64_t stride) {
  tile_row rows[TILE], mixed[TILE];
  memcpy(rows, tile, sizeof rows);
#pragma GCC unroll 4
  for (int round = 0; round < 4; round++) {
#pragma GCC unroll 8
    for (int i = 0; i < TILE / 2; i++) {
      tile_row a = rows[i], b = rows[i + TILE / 2];
      mixed[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      mixed[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    memcpy(rows, mixed, sizeof rows);
  }
  for (int32_t i = 0; i < columns; i++) memcpy(to + i * stride, &rows[i], sizeof rows[i]);
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

/// The widest variant whose vectors a head's width is a multiple of.
static ck_isa variant(ck_isa isa, int32_t head_width) {
  return isa == CK_ISA_AVX512 && head_width % 16 != 0 ? CK_ISA_AVX2 : isa;
}

void ck_freeze_keys(ck_isa isa, int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx,
                    int8_t *keys, float *scales) {
  switch (variant(isa, head_width)) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: freeze_keys_avx512(tokens, heads, head_width, x, ldx, keys, scales); return;
    case CK_ISA_AVX2: freeze_keys_avx2(tokens, heads, head_width, x, ldx, keys, scales); return;
#endif
    default: freeze_keys_scalar(tokens, heads, head_width, x, ldx, keys, scales);
  }
}

void ck_freeze_values(ck_isa isa, int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx,
                      int8_t *values, float *scales) {
  switch (variant(isa, head_width)) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: freeze_values_avx512(tokens, heads, head_width, x, ldx, values, scales); return;
    case CK_ISA_AVX2: freeze_values_avx2(tokens, heads, head_width, x, ldx, values, scales); return;
#endif
    default: freeze_values_scalar(tokens, heads, head_width, x, ldx, values, scales);
  }
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
