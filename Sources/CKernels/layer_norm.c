// LayerNorm over rows `[rows, width]`, alone and followed by quantization.
//
// Two passes for mean and variance: subtracting the mean first keeps the variance exact where the mean is large.
// The fused form computes a normalised value twice (for the range, then for the byte) instead of storing a row.
#include <math.h>
#include <string.h>

#include "include/vector_ops.h"
#include "layer_norm_internal.h"
#include "quantize_rows.h"
#include "vector_math_avx2.h"

// Where the last columns are computed one at a time, a fused multiply-add would give other bits than the vectors do.
#pragma STDC FP_CONTRACT OFF

static inline float normalize_scalar(float x, row_moments row, float gain, float bias) {
  return (x - row.mean) * row.inverse * gain + bias;
}

static row_moments moments_scalar(int32_t width, const float *x, float epsilon) {
  float sum = 0, squares = 0;
  for (int32_t i = 0; i < width; i++) sum += x[i];
  float mean = sum / (float)width;
  for (int32_t i = 0; i < width; i++) squares += (x[i] - mean) * (x[i] - mean);
  return (row_moments){mean, 1.0f / sqrtf(squares / (float)width + epsilon)};
}

#if defined(__x86_64__)
/// The first `count` (1...8) of eight floats.
CK_AVX2_INLINE __m256i mask_of(int32_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

CK_AVX2 static row_moments moments_avx2(int32_t width, const float *x, float epsilon) {
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, squares[2] = {sum[0], sum[0]};
  int32_t i = 0;
  __m256i rest = mask_of(width % 8);
  for (; i + 16 <= width; i += 16)
    for (int half = 0; half < 2; half++) sum[half] = _mm256_add_ps(sum[half], _mm256_loadu_ps(x + i + 8 * half));
  if (i + 8 <= width) sum[0] = _mm256_add_ps(sum[0], _mm256_loadu_ps(x + i));
  if (width % 8) sum[1] = _mm256_add_ps(sum[1], _mm256_maskload_ps(x + width / 8 * 8, rest));
  float mean = sum_avx2(_mm256_add_ps(sum[0], sum[1])) / (float)width;
  __m256 means = _mm256_set1_ps(mean);
  for (i = 0; i + 16 <= width; i += 16) {
    for (int half = 0; half < 2; half++) {
      __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8 * half), means);
      squares[half] = _mm256_fmadd_ps(difference, difference, squares[half]);
    }
  }
  if (i + 8 <= width) {
    __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(x + i), means);
    squares[0] = _mm256_fmadd_ps(difference, difference, squares[0]);
  }
  if (width % 8) {
    __m256 difference = _mm256_sub_ps(_mm256_maskload_ps(x + width / 8 * 8, rest), means);
    difference = _mm256_and_ps(difference, _mm256_castsi256_ps(rest));
    squares[1] = _mm256_fmadd_ps(difference, difference, squares[1]);
  }
  float variance = sum_avx2(_mm256_add_ps(squares[0], squares[1])) / (float)width;
  return (row_moments){mean, 1.0f / sqrtf(variance + epsilon)};
}

/// Eight normalised values from `i`.
CK_AVX2_INLINE __m256 normalize_avx2(const float *x, row_moments row, const float *gain, const float *bias, int32_t i) {
  __m256 value = _mm256_sub_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(row.mean));
  value = _mm256_mul_ps(value, _mm256_set1_ps(row.inverse));
  // Not fused: the same bits as `normalize_scalar` gives for the last columns and in the scalar form.
  return _mm256_add_ps(_mm256_mul_ps(value, _mm256_loadu_ps(gain + i)), _mm256_loadu_ps(bias + i));
}

CK_AVX2 static void layer_norm_row_avx2(int32_t width, const float *x, const float *gain, const float *bias,
                                        float epsilon, float *out) {
  row_moments row = moments_avx2(width, x, epsilon);
  int32_t i = 0;
  for (; i + 8 <= width; i += 8) _mm256_storeu_ps(out + i, normalize_avx2(x, row, gain, bias, i));
  for (; i < width; i++) out[i] = normalize_scalar(x[i], row, gain[i], bias[i]);
}

CK_AVX2 static void layer_norm_quantize_row_avx2(int32_t width, const float *x, const float *gain, const float *bias,
                                                 float epsilon, uint8_t *out, float *scale, int32_t *zero) {
  row_moments row = moments_avx2(width, x, epsilon);
  __m256 lows = _mm256_setzero_ps(), highs = _mm256_setzero_ps();
  int32_t i = 0;
  for (; i + 8 <= width; i += 8) {
    __m256 value = normalize_avx2(x, row, gain, bias, i);
    lows = _mm256_min_ps(value, lows);
    highs = _mm256_max_ps(value, highs);
  }
  float low = min_avx2(lows), high = max_avx2(highs);
  for (; i < width; i++) {
    float value = normalize_scalar(x[i], row, gain[i], bias[i]);
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  row_quantizer quantizer = quantizer_of_range(low, high);
  for (i = 0; i + 32 <= width; i += 32) {
    __m256 values[4];
    for (int part = 0; part < 4; part++) values[part] = normalize_avx2(x, row, gain, bias, i + 8 * part);
    _mm256_storeu_si256((__m256i *)(out + i), quantize_avx2(values, quantizer));
  }
  for (; i < width; i++) out[i] = quantize_scalar(normalize_scalar(x[i], row, gain[i], bias[i]), quantizer);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}
#endif

static void layer_norm_row_scalar(int32_t width, const float *x, const float *gain, const float *bias, float epsilon,
                                  float *out) {
  row_moments row = moments_scalar(width, x, epsilon);
  for (int32_t i = 0; i < width; i++) out[i] = normalize_scalar(x[i], row, gain[i], bias[i]);
}

static void layer_norm_quantize_row_scalar(int32_t width, const float *x, const float *gain, const float *bias,
                                           float epsilon, uint8_t *out, float *scale, int32_t *zero) {
  row_moments row = moments_scalar(width, x, epsilon);
  float low = 0, high = 0;
  for (int32_t i = 0; i < width; i++) {
    float value = normalize_scalar(x[i], row, gain[i], bias[i]);
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  row_quantizer quantizer = quantizer_of_range(low, high);
  for (int32_t i = 0; i < width; i++)
    out[i] = quantize_scalar(normalize_scalar(x[i], row, gain[i], bias[i]), quantizer);
  *scale = quantizer.scale;
  *zero = (int32_t)quantizer.zero;
}

void ck_layer_norm(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *gain,
                   const float *bias, float epsilon, float *out, int32_t ldo) {
  for (int32_t row = 0; row < rows; row++) {
    const float *from = x + (int64_t)row * ldx;
    float *to = out + (int64_t)row * ldo;
#if defined(__x86_64__)
    if (isa == CK_ISA_AVX512) layer_norm_row_avx512(&(layer_norm_row){width, from, gain, bias, epsilon}, to);
    else if (isa == CK_ISA_AVX2) layer_norm_row_avx2(width, from, gain, bias, epsilon, to);
    else
#endif
      layer_norm_row_scalar(width, from, gain, bias, epsilon, to);
  }
}

void ck_layer_norm_quantize(ck_isa isa, int32_t rows, int32_t width, const float *x, int32_t ldx, const float *gain,
                            const float *bias, float epsilon, uint8_t *out, int32_t ldo, float *scale, int32_t *zero) {
  for (int32_t row = 0; row < rows; row++) {
    const float *from = x + (int64_t)row * ldx;
    uint8_t *to = out + (int64_t)row * ldo;
#if defined(__x86_64__)
    if (isa == CK_ISA_AVX512)
      layer_norm_quantize_row_avx512(&(layer_norm_row){width, from, gain, bias, epsilon}, to, scale + row, zero + row);
    else if (isa == CK_ISA_AVX2)
      layer_norm_quantize_row_avx2(width, from, gain, bias, epsilon, to, scale + row, zero + row);
    else
#endif
      layer_norm_quantize_row_scalar(width, from, gain, bias, epsilon, to, scale + row, zero + row);
    memset(to + width, zero[row], (size_t)(ldo - width));
  }
}
