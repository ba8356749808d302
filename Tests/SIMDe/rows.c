// Compares quantization and LayerNorm of a row on AVX-512, translated by SIMDe, with the scalar forms. See run.sh.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer_norm_internal.h"
#include "quantize_rows.h"
#include "vector_ops.h"

enum { LONGEST = 800 };

static float x[LONGEST], gain[LONGEST], bias[LONGEST];
static int failures = 0;

static void check(int holds, const char *what, int32_t width) {
  if (holds) return;
  printf("%s differs at width %d\n", what, width);
  failures++;
}

static void fill(float scale) {
  for (int i = 0; i < LONGEST; i++) {
    x[i] = scale * (float)(rand() % 2001 - 1000) / 300 + 1;
    gain[i] = (float)(rand() % 2001) / 1000;
    bias[i] = (float)(rand() % 2001 - 1000) / 1000;
  }
}

/// The bytes, scale and zero point must be the scalar form's.
static void compare_quantization(int32_t width) {
  uint8_t bytes[2][LONGEST + 1];
  float scale[2];
  int32_t zero[2];
  memset(bytes, 7, sizeof bytes);
  ck_quantize_rows(CK_ISA_SCALAR, 1, width, x, width, bytes[0], width, scale, zero);
  quantize_row_avx512(width, x, bytes[1], scale + 1, zero + 1);
  check(!memcmp(bytes[0], bytes[1], sizeof bytes[0]) && scale[0] == scale[1] && zero[0] == zero[1], "quantization",
        width);
}

/// The floats must be close to the scalar form's, and the fused bytes those of the two steps.
static void compare_layer_norm(int32_t width) {
  layer_norm_row row = {width, x, gain, bias, 1e-5f};
  float values[2][LONGEST];
  uint8_t bytes[2][LONGEST];
  float scale[2];
  int32_t zero[2];
  ck_layer_norm(CK_ISA_SCALAR, 1, width, x, width, gain, bias, 1e-5f, values[0], width);
  layer_norm_row_avx512(&row, values[1]);
  for (int32_t i = 0; i < width; i++)
    check(fabsf(values[0][i] - values[1][i]) <= 1e-5f * fmaxf(1, fabsf(values[0][i])), "LayerNorm", width);
  quantize_row_avx512(width, values[1], bytes[0], scale, zero);
  layer_norm_quantize_row_avx512(&row, bytes[1], scale + 1, zero + 1);
  check(!memcmp(bytes[0], bytes[1], (size_t)width) && scale[0] == scale[1] && zero[0] == zero[1], "fused LayerNorm",
        width);
}

int main(void) {
  static const int32_t widths[] = {1, 5, 15, 16, 17, 63, 64, 65, 127, 128, 200, 768, 799};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
    fill(1);
    compare_layer_norm(widths[i]);
    compare_quantization(widths[i]);
    fill(1e30f);
    x[widths[i] / 2] = i % 2 ? NAN : INFINITY;
    x[widths[i] - 1] = i % 3 ? -INFINITY : x[widths[i] - 1];
    compare_quantization(widths[i]);
  }
  printf("rows on AVX-512 by SIMDe: %d failures\n", failures);
  return failures != 0;
}
