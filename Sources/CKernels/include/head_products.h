// Rows of heads, `[rows, heads * width]`, with a number a head: what a task attention block needs besides matrix
// products. One thread; ldx and the like are how far rows are apart.
#pragma once
#include <stdint.h>

#include "dispatch.h"

#define CK_HEAD_PRODUCTS(scalar, suffix)                                                                               \
  /* scores[r][h] = sum_c u[r][c] x[r][h][c] */                                                                        \
  void ck_head_scores_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *u, int32_t ldu,   \
                               const scalar *x, int32_t ldx, scalar *scores, int32_t lds);                             \
  /* out[r][h][c] = factors[r][h] x[r][h][c] */                                                                        \
  void ck_scale_heads_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *factors,          \
                               int32_t ldf, const scalar *x, int32_t ldx, scalar *out, int32_t ldo);                   \
  /* out[r][c] += sum_h factors[r][h] x[r][h][c] */                                                                    \
  void ck_sum_heads_##suffix(ck_isa isa, int32_t rows, int32_t heads, int32_t width, const scalar *factors,            \
                             int32_t ldf, const scalar *x, int32_t ldx, scalar *out, int32_t ldo);
CK_HEAD_PRODUCTS(float, f32)
CK_HEAD_PRODUCTS(double, f64)
#undef CK_HEAD_PRODUCTS
