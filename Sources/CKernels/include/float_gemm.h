// Float matrix products, in single and double precision.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"

/// In what order a product's operands are in memory, by the names of BLAS (normal, transposed), row-major.
typedef enum ck_product {
  /// a `[m, k]`, b `[n, k]`, as a Linear's weights `[outputs, inputs]` and as kernels of examples are.
  CK_PRODUCT_NT,
  /// a `[m, k]`, b `[k, n]`.
  CK_PRODUCT_NN,
  /// a `[k, m]`, b `[k, n]`: a gradient of weights.
  CK_PRODUCT_TN,
} ck_product;

/// `c[m][n] = alpha * sum_k a[m][k] * b[k][n] + beta * c[m][n]`, the indices of a and b exchanged as the product says.
/// One thread.
void ck_gemm_f32(ck_isa isa, ck_product product, int32_t m, int32_t n, int32_t k, float alpha, const float *a,
                 int32_t lda, const float *b, int32_t ldb, float beta, float *c, int32_t ldc);
void ck_gemm_f64(ck_isa isa, ck_product product, int32_t m, int32_t n, int32_t k, double alpha, const double *a,
                 int32_t lda, const double *b, int32_t ldb, double beta, double *c, int32_t ldc);
