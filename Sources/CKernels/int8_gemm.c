// Packing, dispatch and the scalar reference of the int8 product.
#include "include/int8_gemm.h"

#include <stdlib.h>
#include <string.h>

#include "activation_scalar.h"
#include "int8_gemm_internal.h"
#include "int8_gemm_order.h"

enum { SIZE_LIMIT = 65536 };

static void *allocate(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

ck_int8_weights *ck_int8_weights_pack(const int8_t *weights, const float *scales, int32_t outputs, int32_t inputs) {
  if (outputs < 1 || inputs < 1 || outputs > SIZE_LIMIT || inputs > SIZE_LIMIT) return NULL;
  ck_int8_weights *packed = calloc(1, sizeof *packed);
  if (!packed) return NULL;
  packed->inputs = inputs;
  packed->outputs = outputs;
  packed->padded_inputs = (inputs + QUAD - 1) / QUAD * QUAD;
  packed->padded_outputs = (outputs + PANEL - 1) / PANEL * PANEL;
  size_t bytes = (size_t)packed->padded_inputs * (size_t)packed->padded_outputs;
  size_t padded_outputs = (size_t)packed->padded_outputs;
  size_t panels = padded_outputs / PANEL, quads = (size_t)int8_quads(packed), blocks = (size_t)int8_blocks(packed);
  packed->packed = allocate(bytes);
  packed->scales = allocate(padded_outputs * sizeof *packed->scales);
  packed->sums = allocate(padded_outputs * sizeof *packed->sums);
  packed->order = allocate(panels * quads * sizeof *packed->order);
  packed->sets_of_four = allocate(panels * blocks * sizeof *packed->sets_of_four);
  if (!packed->packed || !packed->scales || !packed->sums || !packed->order || !packed->sets_of_four) {
    ck_int8_weights_free(packed);
    return NULL;
  }
  memset(packed->packed, 0, bytes);
  memset(packed->scales, 0, padded_outputs * sizeof *packed->scales);
  memset(packed->sums, 0, padded_outputs * sizeof *packed->sums);
  memcpy(packed->scales, scales, (size_t)outputs * sizeof *scales);
  for (int32_t n = 0; n < outputs; n++) {
    const int8_t *row = weights + (int64_t)n * inputs;
    int8_t *column = packed->packed + (int64_t)(n / PANEL) * packed->padded_inputs * PANEL + n % PANEL * QUAD;
    int32_t sum = 0;
    for (int32_t k = 0; k < inputs; k++) {
      column[k / QUAD * PANEL_QUAD + k % QUAD] = row[k];
      sum += row[k];
    }
    packed->sums[n] = sum;
  }
  int8_order_quads(packed);
  return packed;
}

void ck_int8_weights_unpack(const ck_int8_weights *packed, int8_t *weights) {
  for (int32_t n = 0; n < packed->outputs; n++) {
    const int8_t *column = packed->packed + (int64_t)(n / PANEL) * packed->padded_inputs * PANEL + n % PANEL * QUAD;
    int8_t *row = weights + (int64_t)n * packed->inputs;
    for (int32_t k = 0; k < packed->inputs; k++) row[k] = column[k / QUAD * PANEL_QUAD + k % QUAD];
  }
}

void ck_int8_weights_free(ck_int8_weights *weights) {
  if (!weights) return;
  free(weights->packed);
  free(weights->scales);
  free(weights->sums);
  free(weights->order);
  free(weights->sets_of_four);
  free(weights);
}

size_t ck_int8_gemm_scratch(int32_t rows, const ck_int8_weights *weights) {
#if defined(__x86_64__)
  return int8_gemm_avx2_scratch(rows, weights); // the other variants need none
#else
  return 64;
#endif
}

void int8_gemm_scalar(const int8_gemm_call *call) {
  const ck_int8_weights *weights = call->weights;
  int32_t quads = int8_quads(weights);
  for (int32_t m = 0; m < call->rows; m++) {
    const uint8_t *a = call->a + (int64_t)m * call->lda;
    float *out = call->out + (int64_t)m * call->ldo;
    for (int32_t n = 0; n < weights->outputs; n++) {
      const int8_t *w = weights->packed + (int64_t)(n / PANEL) * quads * PANEL_QUAD + n % PANEL * QUAD;
      int32_t sum = 0;
      for (int32_t k = 0; k < weights->padded_inputs; k++) sum += a[k] * w[k / QUAD * PANEL_QUAD + k % QUAD];
      // Unsigned: the difference fits 32 bits though its parts might not.
      int32_t product = (int32_t)((uint32_t)sum - (uint32_t)call->row_zero[m] * (uint32_t)weights->sums[n]);
      float scaled = (float)product * (call->row_scale[m] * weights->scales[n]);
      float value = scaled + (call->bias ? call->bias[n] : 0.0f);
      switch (call->epilogue) {
        case CK_EPILOGUE_NONE: break;
        case CK_EPILOGUE_QUICK_GELU: value = quick_gelu_scalar(value); break;
        case CK_EPILOGUE_GELU: value = gelu_scalar(value); break;
        case CK_EPILOGUE_RESIDUAL: value += out[n]; break;
      }
      out[n] = value;
    }
  }
}

void ck_int8_gemm(ck_isa isa, int32_t rows, const uint8_t *a, int32_t lda, const float *row_scale,
                  const int32_t *row_zero, const ck_int8_weights *weights, const float *bias, ck_epilogue epilogue,
                  float *out, int32_t ldo, void *scratch) {
  int8_gemm_call call = {rows, a, lda, row_scale, row_zero, weights, bias, epilogue, out, ldo, scratch};
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: int8_gemm_avx512(&call); return;
    case CK_ISA_AVX2: int8_gemm_avx2(&call); return;
#endif
    default: int8_gemm_scalar(&call); return;
  }
}
