// The int8 product on AVX-512 VNNI: vpdpbusd adds four u8 x s8 products to a 32-bit sum without saturating, so the
// packed blocks are used as they are. Tiles of 4 rows x 64 outputs, 16 of 32 registers.
//
// Logic tested against the scalar form by Tests/SIMDe/run.sh; speed not measured on the machine it was written on.
#include "int8_gemm_internal.h"

#if defined(__x86_64__)
#include <string.h>

#include "vector_math_avx512.h"

enum { TILE_ROWS = 4, TILE_PANELS = 4 };

CK_AVX512_INLINE __m512i broadcast(const uint8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return _mm512_set1_epi32(quad);
}

CK_AVX512_INLINE void finish(const int8_gemm_call *call, int32_t row, int32_t output, __m512i sum) {
  const ck_int8_weights *weights = call->weights;
  int32_t columns = weights->outputs - output;
  __mmask16 mask = columns >= PANEL ? 0xFFFF : (__mmask16)((1u << columns) - 1);
  float *out = call->out + (int64_t)row * call->ldo + output;
  __m512i zero = _mm512_set1_epi32(call->row_zero[row]);
  __m512i product = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, _mm512_loadu_si512(weights->sums + output)));
  __m512 scale = _mm512_mul_ps(_mm512_set1_ps(call->row_scale[row]), _mm512_loadu_ps(weights->scales + output));
  __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(product), scale);
  if (call->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, call->bias + output));
  switch (call->epilogue) {
    case CK_EPILOGUE_NONE: break;
    case CK_EPILOGUE_QUICK_GELU: value = quick_gelu_avx512(value); break;
    case CK_EPILOGUE_GELU: value = gelu_avx512(value); break;
    case CK_EPILOGUE_RESIDUAL: value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, out)); break;
  }
  _mm512_mask_storeu_ps(out, mask, value);
}

/// `rows` rows from `row` by `panels` panels from `panel`, over all inputs.
CK_AVX512_INLINE void multiply_tile(const int rows, const int panels, const int8_gemm_call *call, int32_t row,
                                    int32_t panel) {
  const ck_int8_weights *weights = call->weights;
  int32_t quads = int8_quads(weights);
  const int8_t *w = weights->packed + (int64_t)panel * quads * PANEL_QUAD;
  const uint8_t *a = call->a + (int64_t)row * call->lda;
  __m512i sums[TILE_ROWS][TILE_PANELS];
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < panels; p++) sums[r][p] = _mm512_setzero_si512();
  for (int32_t quad = 0; quad < quads; quad++) {
    __m512i column[TILE_PANELS];
    for (int p = 0; p < panels; p++)
      column[p] = _mm512_load_si512(w + ((int64_t)p * quads + quad) * PANEL_QUAD);
    for (int r = 0; r < rows; r++) {
      __m512i value = broadcast(a + (int64_t)r * call->lda + quad * QUAD);
      for (int p = 0; p < panels; p++) sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], value, column[p]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < panels; p++) finish(call, row + r, (panel + p) * PANEL, sums[r][p]);
}

CK_AVX512_INLINE void multiply_panels(const int panels, const int8_gemm_call *call, int32_t panel) {
  int32_t row = 0;
  for (; row + TILE_ROWS <= call->rows; row += TILE_ROWS) multiply_tile(4, panels, call, row, panel);
  switch (call->rows - row) {
    case 3: multiply_tile(3, panels, call, row, panel); break;
    case 2: multiply_tile(2, panels, call, row, panel); break;
    case 1: multiply_tile(1, panels, call, row, panel); break;
    default: break;
  }
}

CK_AVX512 void int8_gemm_avx512(const int8_gemm_call *call) {
  int32_t panels = call->weights->padded_outputs / PANEL, panel = 0;
  for (; panel + TILE_PANELS <= panels; panel += TILE_PANELS) multiply_panels(4, call, panel);
  switch (panels - panel) {
    case 3: multiply_panels(3, call, panel); break;
    case 2: multiply_panels(2, call, panel); break;
    case 1: multiply_panels(1, call, panel); break;
    default: break;
  }
}
#endif
