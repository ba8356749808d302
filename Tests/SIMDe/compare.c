// Compares the AVX-512 form of the int8 product, translated by SIMDe, with the scalar form. See run.sh.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "int8_gemm_internal.h"

static uint64_t state = 1;
static uint32_t next_random(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

static int run(int32_t rows, int32_t outputs, int32_t inputs, ck_epilogue epilogue) {
  int32_t lda = (inputs + 3) / 4 * 4, ldo = outputs + 1, differences = 0;
  uint8_t *a = malloc((size_t)(rows * lda));
  int8_t *w = malloc((size_t)(outputs * inputs));
  float *scales = malloc((size_t)outputs * sizeof(float)), *bias = malloc((size_t)outputs * sizeof(float));
  float *row_scale = malloc((size_t)rows * sizeof(float));
  int32_t *row_zero = malloc((size_t)rows * sizeof(int32_t));
  float *out[2] = {malloc((size_t)(rows * ldo) * sizeof(float)), malloc((size_t)(rows * ldo) * sizeof(float))};
  for (int32_t i = 0; i < rows * lda; i++) a[i] = next_random() % 4 ? (uint8_t)next_random() : 255;
  for (int32_t i = 0; i < outputs * inputs; i++) w[i] = next_random() % 4 ? (int8_t)next_random() : -128;
  for (int32_t i = 0; i < outputs; i++) {
    scales[i] = 1e-4f * (float)(1 + next_random() % 9);
    bias[i] = (float)(next_random() % 100) * 0.01f;
  }
  for (int32_t i = 0; i < rows; i++) {
    row_scale[i] = 0.01f * (float)(1 + next_random() % 9);
    row_zero[i] = (int32_t)(next_random() % 256);
  }
  for (int32_t i = 0; i < rows * ldo; i++) out[0][i] = out[1][i] = (float)i;
  ck_int8_weights *weights = ck_int8_weights_pack(w, scales, outputs, inputs);
  int8_gemm_call call = {rows, a, lda, row_scale, row_zero, weights, bias, epilogue, out[0], ldo, NULL};
  int8_gemm_scalar(&call);
  call.out = out[1];
  int8_gemm_avx512(&call);
  int exact = epilogue == CK_EPILOGUE_NONE || epilogue == CK_EPILOGUE_RESIDUAL;
  for (int32_t i = 0; i < rows * ldo; i++) {
    float ceiling = exact ? 0 : 1e-6f * (1 + fabsf(out[0][i])); // the scalar form calls the C library's exp and erf
    if (!(fabsf(out[0][i] - out[1][i]) <= ceiling)) differences++;
  }
  if (differences) printf("%d x %d x %d, epilogue %d: %d differences\n", rows, outputs, inputs, epilogue, differences);
  ck_int8_weights_free(weights);
  free(a), free(w), free(scales), free(bias), free(row_scale), free(row_zero), free(out[0]), free(out[1]);
  return differences;
}

int main(void) {
  static const int32_t shapes[][3] = {{1, 1, 1},    {2, 3, 5},     {3, 17, 7},  {4, 64, 4},   {5, 33, 129},
                                      {7, 100, 65}, {9, 80, 1030}, {4, 48, 16}, {8, 128, 768}};
  int differences = 0, cases = 0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int epilogue = 0; epilogue < 4; epilogue++, cases++)
      differences += run(shapes[i][0], shapes[i][1], shapes[i][2], (ck_epilogue)epilogue);
  printf("AVX-512 by SIMDe against scalar: %d cases, %d differences\n", cases, differences);
  return differences != 0;
}
