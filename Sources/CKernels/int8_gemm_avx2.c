// The int8 product on AVX2, exact for every u8 x s8 input.
//
// vpmaddubsw multiplies 32 pairs of bytes at once, twice what vpmaddwd does, but adds pairs in 16 bits with saturation:
// 255 * 127 * 2 does not fit. So each activation is split into a - shift = low + 128 * high, low in 0...127, high in
// -1...1, with a shift per row (close to zero point - 64) under which nearly every high part is zero.
//  - low parts: the dense product below. Lanes of up to three quads are added in 16 bits where int8_gemm_order.c found
//    that they fit, then widened by vpmaddwd. That is 8 multiplications for 192 products where vpmaddwd alone takes 12.
//  - high parts: a sparse product over the quads in which a row of the tile has one ("wide" quads). In the worst case
//    all quads are wide and the whole costs about as much as plain vpmaddwd; with a transformer's activations few are.
//  - shift: joins the zero point, out = scale * (sum - (zero - shift) * column sum).
//
// Loops: panel of 16 outputs > block of 1024 inputs (16 KiB of weights stay in the first cache) > tile of 4 rows.
#include "int8_gemm_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "vector_math_avx2.h"

enum {
  TILE = 4,         // rows of a tile: 4 x 16 outputs fill 8 of 16 registers
  WIDE_CHUNK = 127, // wide quads added up in 16 bits: 127 * 256 < 32768
};

/// Where things lie in the scratch memory. Tile t begins at row 4 t.
typedef struct workspace {
  uint8_t *low;         // [tiles][quads][rows of tile][4]
  uint8_t *high;        // [tiles][wide quads][rows of tile][4]: high + 1, compacted
  uint16_t *wide;       // [tiles][quads]: the wide quads, rising
  int32_t *wide_counts; // [tiles]
  int32_t *zeros;       // [rows]: zero point - shift
  int32_t *sums;        // [rows][16]: sums of a panel between blocks
} workspace;

static size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t lay_out(int32_t rows, const ck_int8_weights *weights, uint8_t *scratch, workspace *space) {
  size_t tiles = ((size_t)rows + TILE - 1) / TILE;
  size_t bytes = align64((size_t)rows * (size_t)weights->padded_inputs + 32);
  size_t offset = 0;
  space->low = scratch + offset;
  offset += bytes;
  space->high = scratch + offset;
  offset += bytes;
  space->wide = (uint16_t *)(scratch + offset);
  offset += align64(tiles * (size_t)int8_quads(weights) * sizeof *space->wide);
  space->wide_counts = (int32_t *)(scratch + offset);
  offset += align64(tiles * sizeof *space->wide_counts);
  space->zeros = (int32_t *)(scratch + offset);
  offset += align64((size_t)rows * sizeof *space->zeros);
  space->sums = (int32_t *)(scratch + offset);
  offset += align64((size_t)rows * PANEL * sizeof *space->sums);
  return offset;
}

size_t int8_gemm_avx2_scratch(int32_t rows, const ck_int8_weights *weights) {
  static uint8_t nowhere; // only differences of addresses are used
  workspace space;
  return lay_out(rows, weights, &nowhere, &space);
}

// MARK: activations

static int32_t shift_of_zero(int32_t zero) { return zero < 64 ? 0 : zero > 192 ? 128 : zero - 64; }

/// Splits quads `first..<quads` of a tile one at a time.
static int32_t split_quads(int32_t rows, int32_t first, int32_t quads, const uint8_t *const *a, const int32_t *shifts,
                           uint8_t *low, uint8_t *high, uint16_t *wide, int32_t wide_count) {
  for (int32_t quad = first; quad < quads; quad++) {
    uint8_t highs[TILE * QUAD];
    bool is_wide = false;
    for (int32_t r = 0; r < rows; r++) {
      for (int32_t i = 0; i < QUAD; i++) {
        int32_t value = a[r][quad * QUAD + i] - shifts[r] + 128;
        low[(quad * rows + r) * QUAD + i] = (uint8_t)(value & 127);
        highs[r * QUAD + i] = (uint8_t)(value >> 7);
        is_wide |= value >> 7 != 1;
      }
    }
    if (!is_wide) continue;
    memcpy(high + wide_count * rows * QUAD, highs, (size_t)(rows * QUAD));
    wide[wide_count++] = (uint16_t)quad;
  }
  return wide_count;
}

/// Four rows of eight quads each, as 32-bit elements, to `[quad][row]`.
CK_AVX2_INLINE void transpose_store(const __m256i *rows, uint8_t *out) {
  __m256i t0 = _mm256_unpacklo_epi32(rows[0], rows[1]), t1 = _mm256_unpackhi_epi32(rows[0], rows[1]);
  __m256i t2 = _mm256_unpacklo_epi32(rows[2], rows[3]), t3 = _mm256_unpackhi_epi32(rows[2], rows[3]);
  __m256i q04 = _mm256_unpacklo_epi64(t0, t2), q15 = _mm256_unpackhi_epi64(t0, t2);
  __m256i q26 = _mm256_unpacklo_epi64(t1, t3), q37 = _mm256_unpackhi_epi64(t1, t3);
  __m256i *to = (__m256i *)out;
  _mm256_storeu_si256(to, _mm256_permute2x128_si256(q04, q15, 0x20));
  _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(q26, q37, 0x20));
  _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(q04, q15, 0x31));
  _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(q26, q37, 0x31));
}

/// Splits a full tile, eight quads at a time. Returns the number of wide quads.
CK_AVX2 static int32_t split_tile(int32_t quads, const uint8_t *const *a, const int32_t *shifts, uint8_t *low,
                                  uint8_t *high, uint16_t *wide) {
  const __m256i seven_bits = _mm256_set1_epi8(127), ones = _mm256_set1_epi8(1);
  int32_t wide_count = 0, quad = 0;
  for (; quad + 8 <= quads; quad += 8) {
    __m256i lows[TILE], highs[TILE], odd = _mm256_setzero_si256();
    for (int r = 0; r < TILE; r++) {
      __m256i value = _mm256_loadu_si256((const __m256i *)(a[r] + quad * QUAD));
      __m256i shift = _mm256_set1_epi8((char)shifts[r]);
      __m256i bias = _mm256_xor_si256(shift, _mm256_set1_epi8(-128)); // shift - 128: a - shift + 128 modulo 256
      // high + 1 = [a >= shift] + [a >= shift + 128], each as "max(a, bound) == a" on unsigned bytes; the second can
      // not hold for shift 128.
      __m256i at_least = _mm256_cmpeq_epi8(_mm256_max_epu8(value, shift), value);
      __m256i above = _mm256_cmpeq_epi8(_mm256_max_epu8(value, bias), value);
      above = _mm256_andnot_si256(_mm256_cmpeq_epi8(bias, _mm256_setzero_si256()), above);
      lows[r] = _mm256_and_si256(_mm256_sub_epi8(value, shift), seven_bits);
      highs[r] = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(at_least, above));
      odd = _mm256_or_si256(odd, _mm256_xor_si256(highs[r], ones));
    }
    transpose_store(lows, low + quad * TILE * QUAD);
    __m256i plain = _mm256_cmpeq_epi32(odd, _mm256_setzero_si256());
    unsigned wide_mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(plain)) ^ 255;
    if (!wide_mask) continue;
    _Alignas(32) uint8_t transposed[8 * TILE * QUAD];
    transpose_store(highs, transposed);
    for (; wide_mask; wide_mask &= wide_mask - 1) {
      int32_t i = __builtin_ctz(wide_mask);
      memcpy(high + wide_count * TILE * QUAD, transposed + i * TILE * QUAD, TILE * QUAD);
      wide[wide_count++] = (uint16_t)(quad + i);
    }
  }
  return split_quads(TILE, quad, quads, a, shifts, low, high, wide, wide_count);
}

static void split_activations(const int8_gemm_call *call, const workspace *space) {
  int32_t quads = int8_quads(call->weights);
  for (int32_t tile = 0; tile * TILE < call->rows; tile++) {
    int32_t first = tile * TILE;
    int32_t rows = call->rows - first < TILE ? call->rows - first : TILE;
    const uint8_t *a[TILE];
    int32_t shifts[TILE];
    for (int32_t r = 0; r < rows; r++) {
      a[r] = call->a + (int64_t)(first + r) * call->lda;
      shifts[r] = shift_of_zero(call->row_zero[first + r]);
      space->zeros[first + r] = (int32_t)((uint32_t)call->row_zero[first + r] - (uint32_t)shifts[r]);
    }
    int64_t offset = (int64_t)first * quads * QUAD;
    uint16_t *wide = space->wide + (int64_t)tile * quads;
    space->wide_counts[tile] =
        rows == TILE ? split_tile(quads, a, shifts, space->low + offset, space->high + offset, wide)
                     : split_quads(rows, 0, quads, a, shifts, space->low + offset, space->high + offset, wide, 0);
  }
}

// MARK: product

CK_AVX2_INLINE __m256i load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
CK_AVX2_INLINE __m256i load_weights(const int8_t *p) { return _mm256_load_si256((const __m256i *)p); }

/// Four activations of a row, in every 32-bit element.
CK_AVX2_INLINE __m256i broadcast(const uint8_t *p) {
  int32_t quad;
  memcpy(&quad, p, sizeof quad);
  return _mm256_set1_epi32(quad);
}

/// sums += low parts x weights over sets of `size` quads. `sums[r]` are outputs 0-7 and 8-15 of row r.
CK_AVX2_INLINE void add_sets(const int rows, const int size, int32_t sets, const uint16_t *order, const uint8_t *low,
                             const int8_t *weights, __m256i sums[TILE][2]) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (int32_t set = 0; set < sets; set++, order += size) {
    const int8_t *w[3];
    const uint8_t *a[3];
    for (int i = 0; i < size; i++) {
      w[i] = weights + order[i] * PANEL_QUAD;
      a[i] = low + order[i] * rows * QUAD;
    }
    for (int r = 0; r < rows; r++) {
      __m256i value = broadcast(a[0] + r * QUAD);
      __m256i left = _mm256_maddubs_epi16(value, load_weights(w[0]));
      __m256i right = _mm256_maddubs_epi16(value, load_weights(w[0] + 32));
      for (int i = 1; i < size; i++) {
        value = broadcast(a[i] + r * QUAD);
        left = _mm256_add_epi16(left, _mm256_maddubs_epi16(value, load_weights(w[i])));
        right = _mm256_add_epi16(right, _mm256_maddubs_epi16(value, load_weights(w[i] + 32)));
      }
      sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(left, ones));
      sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(right, ones));
    }
  }
}

/// sums += 128 * high parts x weights over the wide quads of the tile. Stored is high + 1, which vpmaddubsw takes for
/// unsigned; one more row, of ones, takes the 1 out again.
CK_AVX2_INLINE void add_wide(const int rows, int32_t count, const uint16_t *wide, const uint8_t *high,
                             const int8_t *weights, __m256i sums[TILE][2]) {
  const __m256i ones = _mm256_set1_epi8(1), factor = _mm256_set1_epi16(128);
  while (count > 0) {
    int32_t chunk = count < WIDE_CHUNK ? count : WIDE_CHUNK;
    __m256i parts[TILE][2], offsets[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int r = 0; r < rows; r++) parts[r][0] = parts[r][1] = _mm256_setzero_si256();
    for (int32_t i = 0; i < chunk; i++, high += rows * QUAD) {
      const int8_t *w = weights + wide[i] * PANEL_QUAD;
      __m256i left = load_weights(w), right = load_weights(w + 32);
      offsets[0] = _mm256_add_epi16(offsets[0], _mm256_maddubs_epi16(ones, left));
      offsets[1] = _mm256_add_epi16(offsets[1], _mm256_maddubs_epi16(ones, right));
      for (int r = 0; r < rows; r++) {
        __m256i value = broadcast(high + r * QUAD);
        parts[r][0] = _mm256_add_epi16(parts[r][0], _mm256_maddubs_epi16(value, left));
        parts[r][1] = _mm256_add_epi16(parts[r][1], _mm256_maddubs_epi16(value, right));
      }
    }
    for (int r = 0; r < rows; r++) {
      for (int half = 0; half < 2; half++) {
        __m256i part = _mm256_sub_epi16(parts[r][half], offsets[half]);
        sums[r][half] = _mm256_add_epi32(sums[r][half], _mm256_madd_epi16(part, factor));
      }
    }
    count -= chunk;
    wide += chunk;
  }
}

CK_AVX2_INLINE void finish(const int8_gemm_call *call, const workspace *space, int32_t row, int32_t output,
                           const __m256i sums[2]) {
  const ck_int8_weights *weights = call->weights;
  __m256 row_scale = _mm256_set1_ps(call->row_scale[row]);
  __m256i zero = _mm256_set1_epi32(space->zeros[row]);
  float *out = call->out + (int64_t)row * call->ldo + output;
  for (int half = 0; half < 2; half++, output += 8, out += 8) {
    int32_t columns = weights->outputs - output;
    if (columns <= 0) return;
    __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(columns), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i product = _mm256_sub_epi32(sums[half], _mm256_mullo_epi32(zero, load(weights->sums + output)));
    __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(product),
                                 _mm256_mul_ps(row_scale, _mm256_loadu_ps(weights->scales + output)));
    if (call->bias) value = _mm256_add_ps(value, _mm256_maskload_ps(call->bias + output, mask));
    switch (call->epilogue) {
      case CK_EPILOGUE_NONE: break;
      case CK_EPILOGUE_QUICK_GELU: value = quick_gelu_avx2(value); break;
      case CK_EPILOGUE_GELU: value = gelu_avx2(value); break;
      case CK_EPILOGUE_RESIDUAL: value = _mm256_add_ps(value, _mm256_maskload_ps(out, mask)); break;
    }
    if (columns >= 8) _mm256_storeu_ps(out, value);
    else _mm256_maskstore_ps(out, mask, value);
  }
}

/// One tile of `rows` rows by one panel, over one block of inputs.
CK_AVX2_INLINE void multiply_tile(const int rows, const int8_gemm_call *call, const workspace *space, int32_t panel,
                                  int32_t block, int32_t tile) {
  const ck_int8_weights *weights = call->weights;
  int32_t quads = int8_quads(weights), blocks = int8_blocks(weights), first_quad = block * BLOCK_QUADS;
  int32_t count = quads - first_quad < BLOCK_QUADS ? quads - first_quad : BLOCK_QUADS;
  const int8_t *panel_weights = weights->packed + (int64_t)panel * quads * PANEL_QUAD;
  const int8_t *w = panel_weights + (int64_t)first_quad * PANEL_QUAD;
  const uint16_t *order = weights->order + (int64_t)panel * quads + first_quad;
  const uint16_t *counts = weights->order_counts + ((int64_t)panel * blocks + block) * 2;
  int32_t threes = counts[0], twos = counts[1], row = tile * TILE;
  const uint8_t *low = space->low + (int64_t)row * quads * QUAD + (int64_t)first_quad * rows * QUAD;
  int32_t *stored = space->sums + (int64_t)row * PANEL;

  __m256i sums[TILE][2];
  for (int r = 0; r < rows; r++)
    for (int half = 0; half < 2; half++)
      sums[r][half] = block == 0 ? _mm256_setzero_si256() : load(stored + r * PANEL + half * 8);
  add_sets(rows, 3, threes, order, low, w, sums);
  add_sets(rows, 2, twos, order + 3 * threes, low, w, sums);
  add_sets(rows, 1, count - 3 * threes - 2 * twos, order + 3 * threes + 2 * twos, low, w, sums);
  if (block + 1 < blocks) {
    for (int r = 0; r < rows; r++)
      for (int half = 0; half < 2; half++)
        _mm256_storeu_si256((__m256i *)(stored + r * PANEL + half * 8), sums[r][half]);
    return;
  }
  add_wide(rows, space->wide_counts[tile], space->wide + (int64_t)tile * quads,
           space->high + (int64_t)row * quads * QUAD, panel_weights, sums);
  for (int r = 0; r < rows; r++) finish(call, space, row + r, panel * PANEL, sums[r]);
}

CK_AVX2 void int8_gemm_avx2(const int8_gemm_call *call) {
  workspace space;
  lay_out(call->rows, call->weights, call->scratch, &space);
  split_activations(call, &space);
  int32_t full_tiles = call->rows / TILE, rest = call->rows % TILE, blocks = int8_blocks(call->weights);
  for (int32_t panel = 0; panel < call->weights->padded_outputs / PANEL; panel++) {
    for (int32_t block = 0; block < blocks; block++) {
      for (int32_t tile = 0; tile < full_tiles; tile++) multiply_tile(4, call, &space, panel, block, tile);
      if (rest == 3) multiply_tile(3, call, &space, panel, block, full_tiles);
      if (rest == 2) multiply_tile(2, call, &space, panel, block, full_tiles);
      if (rest == 1) multiply_tile(1, call, &space, panel, block, full_tiles);
    }
  }
}
#endif
