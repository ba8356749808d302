// Rows that read a transformer's frozen tokens, forward and backward: what training and serving prompts needs besides
// the int8 products. Keys and values of the frozen tokens are int8 with a scale a head and token; everything else is
// float. One thread each. Every variant does the same operations in vectors of its own width.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "dispatch.h"
#include "int8_gemm.h"

/// Lanes that tokens are padded to.
#define CK_FROZEN_LANES 16

/// Keys and values of some tokens in one block. padded = tokens rounded up to `CK_FROZEN_LANES`.
typedef struct ck_frozen_tokens {
  int32_t tokens;
  const int8_t *keys;        // [heads][head_width][padded]: a vector is one number of 16 tokens
  const float *key_scales;   // [heads][padded]
  const int8_t *values;      // [heads][tokens][head_width]
  const float *value_scales; // [heads][padded]
} ck_frozen_tokens;

/// Quantizes keys `[tokens, ldx]`, head after head in a row, to the form above; numbers past the last token are zeros.
/// head_width is a multiple of 8. The same bits from every variant.
void ck_freeze_keys(ck_isa isa, int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx,
                    int8_t *keys, float *scales);
void ck_freeze_values(ck_isa isa, int32_t tokens, int32_t heads, int32_t head_width, const float *x, int32_t ldx,
                      int8_t *values, float *scales);

/// The rows of one image. Row r reads the frozen tokens, those of `earlier` where reads_earlier[r], and the rows
/// first[r] ..< last[r].
typedef struct ck_prompt_rows {
  int32_t rows, heads, head_width; // head_width is a multiple of 8
  const ck_frozen_tokens *frozen;
  const ck_frozen_tokens *earlier; // may have no tokens
  const int32_t *first, *last;     // [rows]
  const uint8_t *reads_earlier;    // [rows]
} ck_prompt_rows;

/// Floats of the attention weights of one row and head: the frozen tokens, the earlier ones and the rows, each padded.
int32_t ck_prompt_weights_stride(int32_t frozen, int32_t earlier, int32_t rows);

/// softmax(q k^T / sqrt(head_width)) v over what each row reads.
/// projections: `[rows, 3 width]` (query, key, value). weights: `[rows][heads][stride]`, kept for the backward pass, 0
/// where a row does not read. out: `[rows, width]`.
void ck_prompt_attention(ck_isa isa, const ck_prompt_rows *rows, const float *projections, float *weights, float *out);

/// From the gradient of `out` to the gradient of `projections`, which is overwritten. Nothing flows into frozen tokens.
/// scratch: `stride` floats.
void ck_prompt_attention_backward(ck_isa isa, const ck_prompt_rows *rows, const float *projections,
                                  const float *weights, const float *gradient, float *projection_gradient,
                                  float *scratch);

/// dx += what LayerNorm of x `[rows, width]` (contiguous) passes back of dy.
void ck_layer_norm_backward(ck_isa isa, int32_t rows, int32_t width, const float *x, const float *gain, float epsilon,
                            const float *dy, float *dx);

/// gradient *= activation'(x) (`CK_EPILOGUE_QUICK_GELU` or `CK_EPILOGUE_GELU`).
void ck_activation_backward(ck_isa isa, ck_epilogue activation, size_t count, const float *x, float *gradient);

/// out[r][c] = x[r][c] * factors[c], contiguous rows.
void ck_scale_columns(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *factors,
                      float *out);
