// The 512-bit instances of ck_gemm_*, built portably (CK_PORTABLE), against their scalar twins: sizes that are no multiple
// of a tile, strides wider than the rows, and the scales that matter.
#include "float_gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int32_t sizes[][3] = {{1, 1, 1},    {1, 55, 300},  {3, 4, 17},    {4, 1, 9},    {12, 32, 512},
                                   {13, 33, 64}, {25, 1100, 40}, {61, 70, 1030}, {5, 600, 7}};
static const double scales[][2] = {{1, 0}, {-1, 1}, {0.5, -2}};

static double *numbers(size_t count) {
  double *values = malloc(count * sizeof *values);
  for (size_t i = 0; i < count; ++i) values[i] = (float)(rand() % 2001 - 1000) / 1000;
  return values;
}

static float *narrowed(const double *values, size_t count) {
  float *copy = malloc(count * sizeof *copy);
  for (size_t i = 0; i < count; ++i) copy[i] = (float)values[i];
  return copy;
}

int main(void) {
  double worst = 0, worst32 = 0;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
    int32_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], most = m > n ? m : n, side = most > k ? most : k;
    // As many rows as columns: every order of the operands fits.
    int32_t lda = side + 3, ldb = side + 1, ldc = n + 2;
    for (size_t t = 0; t < 3 * sizeof scales / sizeof *scales; ++t) {
      ck_product product = (ck_product)(t / 3);
      size_t size_a = (size_t)side * lda, size_b = (size_t)side * ldb, size_c = (size_t)m * ldc;
      double *a = numbers(size_a), *b = numbers(size_b), *c = numbers(size_c), *twin = malloc(size_c * sizeof *twin);
      float *a32 = narrowed(a, size_a), *b32 = narrowed(b, size_b), *c32 = narrowed(c, size_c);
      for (size_t i = 0; i < size_c; ++i) twin[i] = c[i];
      double alpha = scales[t % 3][0], beta = scales[t % 3][1];
      ck_gemm_f64(CK_ISA_SCALAR, product, m, n, k, alpha, a, lda, b, ldb, beta, twin, ldc);
      ck_gemm_f64(CK_ISA_AVX512, product, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      ck_gemm_f32(CK_ISA_AVX512, product, m, n, k, (float)alpha, a32, lda, b32, ldb, (float)beta, c32, ldc);
      for (size_t i = 0; i < size_c; ++i) {
        worst = fmax(worst, fabs(c[i] - twin[i]));
        worst32 = fmax(worst32, fabs((double)c32[i] - twin[i]));
      }
      free(a), free(b), free(c), free(twin), free(a32), free(b32), free(c32);
    }
  }
  printf("float products, 512-bit instances: largest difference %.1e double, %.1e float\n", worst, worst32);
  return worst > 1e-12 || worst32 > 1e-4;
}
