// The int8 product on AVX-512 VNNI: vpdpbusd adds four u8 x s8 products to a 32-bit sum without saturating, so the
// packed blocks are used as they are. Tiles of 5 rows x 64 outputs, 20 of 32 registers: 2 % faster than 4 rows on Zen 5,
// where 6 rows and tiles of 12 rows x 32 outputs were slower again. Loops over a tile are unrolled: its sums then stay in
// registers, which clang otherwise writes to memory and back.
//
// Logic tested against the scalar form by Tests/SIMDe/run.sh.
#include "int8_gemm_internal.h"

#if defined(__x86_64__)
#include <string.h>

#include "vector_math_avx512.h"

enum { TILE_ROWS = 5, TILE_PANELS = 4 };

CK_AVX512_INLINE __m512i broadcast(const uint8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return _mm512_set1_epi32(quad);
}

/// What the outputs of one panel have in common.
typedef struct panel_constants {
  __mmask16 mask;
  __m512i sums;
  __m512 scales, bias;
} panel_constants;

CK_AVX512_INLINE panel_constants constants_of(const int8_gemm_call *call, int32_t output) {
  const ck_int8_weights *weights = call->weights;
  int32_t columns = weights->outputs - output;
  __mmask16 mask = columns >= PANEL ? 0xFFFF : (__mmask16)((1u << columns) - 1);
  return (panel_constants){
      .mask = mask,
      .sums = _mm512_loadu_si512(weights->sums + output),
      .scales = _mm512_loadu_ps(weights->scales + output),
      .bias = call->bias ? _mm512_maskz_loadu_ps(mask, call->bias + output) : _mm512_setzero_ps(),
  };
}

/// The outputs of one row and one panel, from the sums of their products.
CK_AVX512_INLINE void finish(const int8_gemm_call *call, const ck_epilogue epilogue, panel_constants panel, int32_t row,
                             int32_t output, __m512i sum) {
  float *out = call->out + (int64_t)row * call->ldo + output;
  __m512i zero = _mm512_set1_epi32(call->row_zero[row]);
  __m512i product = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, panel.sums));
  __m512 scale = _mm512_mul_ps(_mm512_set1_ps(call->row_scale[row]), panel.scales);
  // Not fused: the bits of the other variants.
  __m512 value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(product), scale), panel.bias);
  switch (epilogue) {
    case CK_EPILOGUE_NONE: break;
    case CK_EPILOGUE_QUICK_GELU: value = quick_gelu_avx512(value); break;
    case CK_EPILOGUE_GELU: value = gelu_avx512(value); break;
    case CK_EPILOGUE_RESIDUAL: value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(panel.mask, out)); break;
  }
  _mm512_mask_storeu_ps(out, panel.mask, value);
}

CK_AVX512_INLINE void finish_tile(const int rows, const int panels, const int8_gemm_call *call,
                                  const ck_epilogue epilogue, int32_t row, int32_t output,
                                  __m512i sums[TILE_ROWS][TILE_PANELS]) {
#pragma GCC unroll 8
  for (int p = 0; p < panels; p++) {
    panel_constants panel = constants_of(call, output + p * PANEL);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) finish(call, epilogue, panel, row + r, output + p * PANEL, sums[r][p]);
  }
}

/// `rows` rows from `row` by `panels` panels from `panel`, over all inputs.
CK_AVX512_INLINE void multiply_tile(const int rows, const int panels, const int8_gemm_call *call, int32_t row,
                                    int32_t panel) {
  const ck_int8_weights *weights = call->weights;
  int32_t quads = int8_quads(weights);
  const int8_t *w = weights->packed + (int64_t)panel * quads * PANEL_QUAD;
  const uint8_t *a = call->a + (int64_t)row * call->lda;
  __m512i sums[TILE_ROWS][TILE_PANELS];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int p = 0; p < panels; p++) sums[r][p] = _mm512_setzero_si512();
  for (int32_t quad = 0; quad < quads; quad++) {
    __m512i column[TILE_PANELS];
#pragma GCC unroll 8
    for (int p = 0; p < panels; p++)
      column[p] = _mm512_load_si512(w + ((int64_t)p * quads + quad) * PANEL_QUAD);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      __m512i value = broadcast(a + (int64_t)r * call->lda + quad * QUAD);
#pragma GCC unroll 8
      for (int p = 0; p < panels; p++) sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], value, column[p]);
    }
  }
  switch (call->epilogue) { // here, not once a vector
    case CK_EPILOGUE_NONE: finish_tile(rows, panels, call, CK_EPILOGUE_NONE, row, panel * PANEL, sums); break;
    case CK_EPILOGUE_QUICK_GELU: finish_tile(rows, panels, call, CK_EPILOGUE_QUICK_GELU, row, panel * PANEL, sums); break;
    case CK_EPILOGUE_GELU: finish_tile(rows, panels, call, CK_EPILOGUE_GELU, row, panel * PANEL, sums); break;
    case CK_EPILOGUE_RESIDUAL: finish_tile(rows, panels, call, CK_EPILOGUE_RESIDUAL, row, panel * PANEL, sums); break;
  }
}

CK_AVX512_INLINE void multiply_panels(const int panels, const int8_gemm_call *call, int32_t panel) {
  int32_t row = 0;
  for (; row + TILE_ROWS <= call->rows; row += TILE_ROWS) multiply_tile(TILE_ROWS, panels, call, row, panel);
  switch (call->rows - row) {
    case 4: multiply_tile(4, panels, call, row, panel); break;
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
