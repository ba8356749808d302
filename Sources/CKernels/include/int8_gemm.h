// Quantized matrix product: unsigned 8-bit activations (one scale and zero point a row) by signed 8-bit weights
// (one scale an output). Every variant computes the same integers, so products do not depend on the machine.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "dispatch.h"

/// Weights ready for `ck_int8_gemm`: blocks of 16 outputs, 4 inputs interleaved, `[n/16][k/4][16][4]`, padded with zeros.
typedef struct ck_int8_weights {
  int32_t inputs;         // k
  int32_t outputs;        // n
  int32_t padded_inputs;  // k rounded up to 4
  int32_t padded_outputs; // n rounded up to 16
  int8_t *packed;         // 64-byte aligned
  float *scales;          // [padded_outputs]
  int32_t *sums;          // [padded_outputs]: sum of a column, to take the activations' zero point out
  uint16_t *order;        // [n/16][k/4]: where AVX2 takes its next 4 inputs from, see int8_gemm_order.c
  uint16_t *sets_of_four; // [n/16][k/1024]: how many sets of four of these it can add up in 16 bits
} ck_int8_weights;

/// Packs `weights` (`[outputs, inputs]`, row-major, as Hugging Face stores a Linear) with one scale an output.
/// Returns NULL when memory is out or a size is not in 1...65536 (inputs: beyond it 32-bit sums could overflow). Free with `ck_int8_weights_free`.
ck_int8_weights *ck_int8_weights_pack(const int8_t *weights, const float *scales, int32_t outputs, int32_t inputs);
void ck_int8_weights_free(ck_int8_weights *weights);

/// The weights as they were given, `[outputs, inputs]`.
void ck_int8_weights_unpack(const ck_int8_weights *packed, int8_t *weights);

/// What follows the product, in the same pass over the output.
typedef enum ck_epilogue {
  CK_EPILOGUE_NONE = 0,
  CK_EPILOGUE_QUICK_GELU = 1, // x * sigmoid(1.702 x)
  CK_EPILOGUE_GELU = 2,       // exact, by erf
  CK_EPILOGUE_RESIDUAL = 3,   // out += product
} ck_epilogue;

/// Bytes of 64-byte aligned scratch `ck_int8_gemm` needs.
size_t ck_int8_gemm_scratch(int32_t rows, const ck_int8_weights *weights);

/// `out[m][n] = epilogue(row_scale[m] * scales[n] * (sum_k a[m][k] * w[n][k] - row_zero[m] * sums[n]) + bias[n])`
///
/// a: `[rows, lda]`, lda >= padded_inputs and a multiple of 4 (bytes past `inputs` are multiplied by zero weights).
/// bias may be NULL. out: `[rows, ldo]` floats. One thread; many threads may share the weights.
void ck_int8_gemm(ck_isa isa, int32_t rows, const uint8_t *a, int32_t lda, const float *row_scale,
                  const int32_t *row_zero, const ck_int8_weights *weights, const float *bias, ck_epilogue epilogue,
                  float *out, int32_t ldo, void *scratch);

/// Multiply-adds a second of this core in a loop of register instructions: vpdpbusd on AVX-512, vpmaddwd and vpaddd on
/// AVX2, 0 for scalar. What benchmarks of `ck_int8_gemm` are compared with.
double ck_int8_peak_macs_per_second(ck_isa isa);
