// What stands between the matrix products of a transformer. Rows are contiguous floats; one thread each.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatch.h"
#include "int8_gemm.h"

/// Quantizes each row of x `[rows, width]` to unsigned 8 bits with its own scale and zero point (asymmetric, per token).
/// out: `[rows, ldo]`, bytes from width to ldo are set to the row's zero point. x ~= scale * (out - zero).
void ck_quantize_rows(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, uint8_t *out, int32_t ldo,
                      float *scale, int32_t *zero);

/// The other way: out[r][i] = scale[r] * (x[r][i] - zero[r]), `[rows, ldo]` of which `width` columns are written. The
/// same bits from every variant.
void ck_dequantize_rows(ck_isa isa, int32_t rows, int32_t width, const uint8_t *x, int32_t ldx, const float *scale,
                        const int32_t *zero, float *out, int32_t ldo);

/// LayerNorm over each row: `(x - mean) / sqrt(variance + epsilon) * gain + bias`. out may be x.
void ck_layer_norm(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *gain,
                   const float *bias, float epsilon, float *out, int32_t ldo);

/// LayerNorm followed by `ck_quantize_rows`, without the float matrix between them.
void ck_layer_norm_quantize(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *gain,
                            const float *bias, float epsilon, uint8_t *out, int32_t ldo, float *scale, int32_t *zero);

/// Applies an activation in place (`CK_EPILOGUE_QUICK_GELU` or `CK_EPILOGUE_GELU`).
void ck_activation(ck_isa isa, ck_epilogue activation, size_t count, float *x);

/// Bytes of 64-byte aligned scratch `ck_attention` needs for one image.
size_t ck_attention_scratch(int32_t queries, int32_t tokens, int32_t head_width);

/// Multi-head attention of one image: for each head, softmax(q k^T / sqrt(head_width)) v.
/// q: `[queries, ldq]`, k and v: `[tokens, ldkv]`, out: `[queries, ldo]`; head h occupies columns
/// `h*head_width ..< (h+1)*head_width` of each. head_width is a multiple of 8.
void ck_attention(ck_isa isa, int32_t queries, int32_t tokens, int32_t heads, int32_t head_width, const float *q,
                  int32_t ldq, const float *k, const float *v, int32_t ldkv, float *out, int32_t ldo, void *scratch);

/// As `ck_attention`, for activations that are quantized anyway: q, k, v and the softmax's weights are rounded to bfloat16
/// (8 bits of mantissa) where the processor multiplies those, sums stay float. Elsewhere it is `ck_attention`.
void ck_attention_rounded(ck_isa isa, int32_t queries, int32_t tokens, int32_t heads, int32_t head_width,
                          const float *q, int32_t ldq, const float *k, const float *v, int32_t ldkv, float *out,
                          int32_t ldo, void *scratch);

/// Whether `ck_attention_rounded` rounds on this processor.
bool ck_attention_has_bf16(ck_isa isa);
