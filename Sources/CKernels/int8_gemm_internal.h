// What the variants of the int8 product share. Not part of the contract.
#pragma once
#include <stdint.h>

#include "include/int8_gemm.h"

enum {
  PANEL = 16,        // outputs of one packed block
  QUAD = 4,          // inputs interleaved in a packed block, one 32-bit element
  PANEL_QUAD = 64,   // bytes of 16 outputs x 4 inputs
  BLOCK_QUADS = 256, // quads of one pass over a panel: 16 KiB of weights, half of a level-one cache
};

/// One call of `ck_int8_gemm`, as its variants take it.
typedef struct int8_gemm_call {
  int32_t rows;
  const uint8_t *a;
  int32_t lda;
  const float *row_scale;
  const int32_t *row_zero;
  const ck_int8_weights *weights;
  const float *bias;
  ck_epilogue epilogue;
  float *out;
  int32_t ldo;
  void *scratch;
} int8_gemm_call;

static inline int32_t int8_quads(const ck_int8_weights *weights) { return weights->padded_inputs / QUAD; }

/// Passes over a panel's inputs, `BLOCK_QUADS` at a time.
static inline int32_t int8_blocks(const ck_int8_weights *weights) {
  return (int8_quads(weights) + BLOCK_QUADS - 1) / BLOCK_QUADS;
}

void int8_gemm_scalar(const int8_gemm_call *call);
#if defined(__x86_64__)
void int8_gemm_avx2(const int8_gemm_call *call);
size_t int8_gemm_avx2_scratch(int32_t rows, const ck_int8_weights *weights);
void int8_gemm_avx512(const int8_gemm_call *call);
#endif
