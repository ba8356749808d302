// Compares attention on AVX-512, in float and in bfloat16, translated by SIMDe, with the scalar form. See run.sh.
#include "attention_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static float number(void) { return (float)(rand() % 2001 - 1000) / 500; }

static float *numbers(size_t count) {
  float *values = malloc(count * sizeof *values);
  for (size_t i = 0; i < count; i++) values[i] = number();
  return values;
}

/// The largest difference between `kernel` and the scalar form.
static double difference(void (*kernel)(const attention_head *), int32_t queries, int32_t tokens, int32_t width) {
  int32_t ld = width + 3;
  float *q = numbers((size_t)(queries * ld)), *k = numbers((size_t)(tokens * ld)), *v = numbers((size_t)(tokens * ld));
  float *out[2] = {numbers((size_t)(queries * ld)), numbers((size_t)(queries * ld))};
  attention_head head = {queries, tokens, width, q, ld, k, v, ld, out[0], ld, NULL};
  head.scratch = aligned_alloc(64, attention_scratch_avx512(tokens, width));
  attention_scalar(&head);
  head.out = out[1];
  kernel(&head);
  double worst = 0;
  for (int32_t i = 0; i < queries; i++)
    for (int32_t d = 0; d < width; d++) worst = fmax(worst, fabs(out[0][i * ld + d] - out[1][i * ld + d]));
  free(q), free(k), free(v), free(out[0]), free(out[1]), free(head.scratch);
  return worst;
}

int main(void) {
  static const int32_t sizes[][3] = {{1, 1, 8},   {3, 3, 8},    {5, 17, 24},  {26, 26, 64}, {1, 197, 64},
                                     {50, 50, 40}, {31, 9, 16}, {25, 33, 80}, {7, 101, 64}};
  double exact = 0, rounded = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    exact = fmax(exact, difference(attention_avx512, sizes[i][0], sizes[i][1], sizes[i][2]));
    rounded = fmax(rounded, difference(attention_avx512_bf16, sizes[i][0], sizes[i][1], sizes[i][2]));
  }
  printf("attention on AVX-512 by SIMDe: largest difference %.1e float, %.1e bfloat16\n", exact, rounded);
  return !(exact <= 1e-5) || !(rounded <= 0.05); // bfloat16 keeps 8 bits, and exponents here reach some 6
}
