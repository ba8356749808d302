// What the variants of LayerNorm share. Not part of the contract.
#pragma once
#include <stdint.h>

/// What one row is normalised from.
typedef struct layer_norm_row {
  int32_t width;
  const float *x, *gain, *bias;
  float epsilon;
} layer_norm_row;

/// y[i] = (x[i] - mean) * inverse * gain[i] + bias[i]
typedef struct row_moments {
  float mean, inverse;
} row_moments;

#if defined(__x86_64__)
/// out may be x.
void layer_norm_row_avx512(const layer_norm_row *row, float *out);
/// The bytes `quantize_row_avx512` makes of `layer_norm_row_avx512`'s values.
void layer_norm_quantize_row_avx512(const layer_norm_row *row, uint8_t *out, float *scale, int32_t *zero);
#endif
