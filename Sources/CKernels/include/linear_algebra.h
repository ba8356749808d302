// What solving kernel systems needs besides products: Cholesky factors, triangular solves and the arc-cosine kernel.
// Blocked for matrices of thousands of rows: a caller spreads blocks over threads, these work on one thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "dispatch.h"

/// Side of the diagonal blocks whose inverses `ck_cholesky_*` leaves: solves are products with them.
#define CK_DIAGONAL_BLOCK 64

/// Factors a symmetric positive definite matrix, a = L L^T. Reads the lower triangle of a `[n, lda]` and replaces it by
/// L; above the diagonal nothing is read, and blocks on the diagonal may be overwritten. inverses: the inverses of L's
/// diagonal blocks, `[ceil(n / 64)][64][64]`, lower triangular, padded with zeros.
/// Returns 0, or 1 + the first row whose pivot is not positive (a is then partly overwritten).
int32_t ck_cholesky_f32(ck_isa isa, int32_t n, float *a, int32_t lda, float *inverses);
int32_t ck_cholesky_f64(ck_isa isa, int32_t n, double *a, int32_t lda, double *inverses);

/// x := x L^-T for x `[m, ldx]` of n columns: every row of x is a right-hand side of L z = row.
void ck_solve_lower_f32(ck_isa isa, int32_t m, int32_t n, const float *l, int32_t ldl, const float *inverses, float *x,
                        int32_t ldx);
void ck_solve_lower_f64(ck_isa isa, int32_t m, int32_t n, const double *l, int32_t ldl, const double *inverses,
                        double *x, int32_t ldx);

/// x := x L^-1: every row of x is a right-hand side of L^T z = row.
void ck_solve_upper_f32(ck_isa isa, int32_t m, int32_t n, const float *l, int32_t ldl, const float *inverses, float *x,
                        int32_t ldx);
void ck_solve_upper_f64(ck_isa isa, int32_t m, int32_t n, const double *l, int32_t ldl, const double *inverses,
                        double *x, int32_t ldx);

/// Arc-cosine kernel of order 1 (Cho and Saul 2009) from cosines, in place: (sin t + (pi - t) cos t) / pi with
/// t = acos(x). Cosines are clamped to [-1, 1]. Absolute error below 3e-7.
void ck_arc_cosine_f32(ck_isa isa, size_t count, float *x);
