// Float matrix products, in single and double precision.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"

/// `c[m][n] = alpha * sum_k a[m][k] * b[n][k] + beta * c[m][n]`: the second operand is given by rows of `k`
/// (transposed), as a Linear's weights `[outputs, inputs]` and as kernels of examples are. Row-major, one thread.
void ck_gemm_f32(ck_isa isa, int32_t m, int32_t n, int32_t k, float alpha, const float *a, int32_t lda, const float *b,
                 int32_t ldb, float beta, float *c, int32_t ldc);
void ck_gemm_f64(ck_isa isa, int32_t m, int32_t n, int32_t k, double alpha, const double *a, int32_t lda,
                 const double *b, int32_t ldb, double beta, double *c, int32_t ldc);
