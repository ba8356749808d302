// The int8 product on AVX2, exact for every u8 x s8 input.
//
// vpmaddubsw multiplies 32 pairs of bytes at once, twice what vpmaddwd does, but adds pairs in 16 bits with saturation:
// 255 * 127 * 2 does not fit. So each activation is split into a - shift = low + 128 * high, low in 0...127, high in
// -1...1, with a shift per row (zero point - 64) under which nearly every high part is zero.
//  - low parts: the dense product. Lanes of up to four quads are added in 16 bits where int8_gemm_order.c found that
//    they fit, then widened by vpmaddwd: 10 multiplications for 256 products of 16 outputs, where vpmaddwd takes 16.
//  - high parts: a sparse product over the quads in which a row of the tile has one, those of +1 and those of -1 apart.
//    A transformer's activations have few. At worst, all are in both lists and the time doubles or trebles.
//  - shift: joins the zero point, out = scale * (sum - (zero - shift) * column sum).
//
// Loops: panel of 16 outputs > block of 1024 inputs (16 KiB of weights stay in the first cache) > tile of 3 rows.
#include "int8_gemm_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "vector_math_avx2.h"

enum {
  TILE = 3,        // rows: 3 x 16 outputs take 6 registers for 32-bit sums, 6 for 16-bit ones, and leave 4
  SLOTS = 4,       // rows a tile has room for: 16 bytes a quad let one index address activations and weights
  SLOT_QUAD = 16,  // bytes of a quad of a tile
  HIGH_CHUNK = 127 // high parts added up in 16 bits: 127 * 2 * 128 < 32768
};

/// The quads of a tile in which a row has a high part of one sign.
typedef struct high_list {
  uint8_t *parts;   // [tiles][quads][slots][4]: 0 or 1, compacted to the front of a tile
  uint16_t *quads;  // [tiles][quads]: rising
  int32_t *counts;  // [tiles]
} high_list;

/// Where things lie in the scratch memory.
typedef struct workspace {
  uint8_t *low;      // [tiles][quads][slots][4]
  high_list high[2]; // of +1, of -1
  int32_t *zeros;    // [rows]: zero point - shift
  int32_t *sums;     // [tiles][3][16]: sums of a panel between blocks
} workspace;

static size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static int32_t tile_count(int32_t rows) { return (rows + TILE - 1) / TILE; }

static size_t lay_out(int32_t rows, const ck_int8_weights *weights, uint8_t *scratch, workspace *space) {
  size_t tiles = (size_t)tile_count(rows), quads = (size_t)int8_quads(weights), offset = 0;
  space->low = scratch + offset;
  offset += align64(tiles * quads * SLOT_QUAD);
  for (int sign = 0; sign < 2; sign++) {
    high_list *high = &space->high[sign];
    high->parts = scratch + offset;
    offset += align64(tiles * quads * SLOT_QUAD);
    high->quads = (uint16_t *)(scratch + offset);
    offset += align64(tiles * quads * sizeof *high->quads);
    high->counts = (int32_t *)(scratch + offset);
    offset += align64(tiles * sizeof *high->counts);
  }
  space->zeros = (int32_t *)(scratch + offset);
  offset += align64((size_t)rows * sizeof *space->zeros);
  space->sums = (int32_t *)(scratch + offset);
  offset += align64(tiles * TILE * PANEL * sizeof *space->sums);
  return offset;
}

size_t int8_gemm_avx2_scratch(int32_t rows, const ck_int8_weights *weights) {
  static uint8_t nowhere; // only differences of addresses are used
  workspace space;
  return lay_out(rows, weights, &nowhere, &space);
}

// MARK: activations

static int32_t shift_of_zero(int32_t zero) { return zero < 64 ? 0 : zero > 192 ? 128 : zero - 64; }

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

/// Splits `width` (a multiple of 4, at most 32) activations of each row of a tile.
CK_AVX2_INLINE void split_columns(int32_t rows, int32_t column, int32_t width, const uint8_t *const *a,
                                  const int32_t *shifts, uint8_t *low, high_list *high) {
  const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi8(1);
  __m256i lows[SLOTS], highs[2][SLOTS], any[2] = {zero, zero};
  for (int r = 0; r < SLOTS; r++) {
    lows[r] = highs[0][r] = highs[1][r] = zero;
    if (r >= rows) continue;
    __m256i value;
    if (width == 32) {
      value = _mm256_loadu_si256((const __m256i *)(a[r] + column));
    } else {
      uint8_t last[32] = {0};
      memcpy(last, a[r] + column, (size_t)width);
      memset(last + width, shifts[r], sizeof last - (size_t)width); // split to zeros
      value = _mm256_loadu_si256((const __m256i *)last);
    }
    __m256i shift = _mm256_set1_epi8((char)shifts[r]);
    __m256i difference = _mm256_sub_epi8(value, shift);
    // On unsigned bytes: below where max(a, shift) is not a; the rest of the differences that have the top bit, above.
    __m256i below = _mm256_andnot_si256(_mm256_cmpeq_epi8(_mm256_max_epu8(value, shift), value), one);
    __m256i top = _mm256_and_si256(_mm256_srli_epi16(difference, 7), one);
    lows[r] = _mm256_and_si256(difference, _mm256_set1_epi8(127));
    highs[0][r] = _mm256_andnot_si256(below, top);
    highs[1][r] = below;
    any[0] = _mm256_or_si256(any[0], highs[0][r]);
    any[1] = _mm256_or_si256(any[1], highs[1][r]);
  }
  // A last, narrower piece writes only its own quads.
  _Alignas(32) uint8_t transposed[8 * SLOT_QUAD];
  uint8_t *to = low + column / QUAD * SLOT_QUAD;
  transpose_store(lows, width == 32 ? to : transposed);
  if (width < 32) memcpy(to, transposed, (size_t)(width / QUAD * SLOT_QUAD));
  for (int sign = 0; sign < 2; sign++) {
    __m256i none = _mm256_cmpeq_epi32(any[sign], zero);
    unsigned found = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(none)) ^ 255;
    if (!found) continue;
    transpose_store(highs[sign], transposed);
    for (; found; found &= found - 1) {
      int32_t quad = __builtin_ctz(found), at = (*high[sign].counts)++;
      memcpy(high[sign].parts + at * SLOT_QUAD, transposed + quad * SLOT_QUAD, SLOT_QUAD);
      high[sign].quads[at] = (uint16_t)(column / QUAD + quad);
    }
  }
}

/// The list of one tile.
static high_list high_of_tile(const high_list *all, int32_t tile, int32_t quads) {
  return (high_list){all->parts + (int64_t)tile * quads * SLOT_QUAD, all->quads + (int64_t)tile * quads,
                     all->counts + tile};
}

CK_AVX2 static void split_activations(const int8_gemm_call *call, const workspace *space) {
  int32_t inputs = call->weights->padded_inputs, quads = int8_quads(call->weights);
  for (int32_t tile = 0; tile < tile_count(call->rows); tile++) {
    int32_t first = tile * TILE;
    int32_t rows = call->rows - first < TILE ? call->rows - first : TILE;
    const uint8_t *a[TILE];
    int32_t shifts[TILE];
    for (int32_t r = 0; r < rows; r++) {
      a[r] = call->a + (int64_t)(first + r) * call->lda;
      shifts[r] = shift_of_zero(call->row_zero[first + r]);
      space->zeros[first + r] = (int32_t)((uint32_t)call->row_zero[first + r] - (uint32_t)shifts[r]);
    }
    uint8_t *low = space->low + (int64_t)tile * quads * SLOT_QUAD;
    high_list high[2];
    for (int sign = 0; sign < 2; sign++) {
      high[sign] = high_of_tile(&space->high[sign], tile, quads);
      *high[sign].counts = 0;
    }
    int32_t column = 0;
    if (rows == TILE) {
      for (; column + 32 <= inputs; column += 32) split_columns(TILE, column, 32, a, shifts, low, high);
    }
    for (; column < inputs; column += 32)
      split_columns(rows, column, inputs - column < 32 ? inputs - column : 32, a, shifts, low, high);
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

/// Keeps the compiler from regrouping 16-bit sums: it would need more registers than there are.
CK_AVX2_INLINE __m256i keep(__m256i x) {
  __asm__("" : "+x"(x));
  return x;
}

/// sums += low parts x weights over sets of `size` quads. `sums[r]` are outputs 0-7 and 8-15 of row r.
CK_AVX2_INLINE void add_sets(const int rows, const int size, int32_t sets, const uint16_t *order, const uint8_t *low,
                             const int8_t *weights, __m256i sums[TILE][2]) {
  const __m256i ones = keep(_mm256_set1_epi16(1));
  // In variables, not in the array, which the compiler would write back in every turn.
  __m256i total00 = sums[0][0], total01 = sums[0][1], total10 = sums[1][0], total11 = sums[1][1];
  __m256i total20 = sums[2][0], total21 = sums[2][1];
  const uint16_t *end = order + (int64_t)sets * size;
  for (; order < end; order += size) {
    __m256i parts[TILE][2];
    for (int i = 0; i < size; i++) {
      size_t eighth = order[i]; // eight times the quad's index
      const int8_t *w = weights + eighth * (PANEL_QUAD / 8);
      const uint8_t *a = low + eighth * (SLOT_QUAD / 8);
      __m256i left = load_weights(w), right = load_weights(w + 32);
      for (int r = 0; r < rows; r++) {
        __m256i value = broadcast(a + r * QUAD);
        __m256i l = _mm256_maddubs_epi16(value, left), h = _mm256_maddubs_epi16(value, right);
        parts[r][0] = keep(i == 0 ? l : _mm256_add_epi16(parts[r][0], l));
        parts[r][1] = keep(i == 0 ? h : _mm256_add_epi16(parts[r][1], h));
      }
    }
    total00 = _mm256_add_epi32(total00, _mm256_madd_epi16(parts[0][0], ones));
    total01 = _mm256_add_epi32(total01, _mm256_madd_epi16(parts[0][1], ones));
    if (rows < 2) continue;
    total10 = _mm256_add_epi32(total10, _mm256_madd_epi16(parts[1][0], ones));
    total11 = _mm256_add_epi32(total11, _mm256_madd_epi16(parts[1][1], ones));
    if (rows < 3) continue;
    total20 = _mm256_add_epi32(total20, _mm256_madd_epi16(parts[2][0], ones));
    total21 = _mm256_add_epi32(total21, _mm256_madd_epi16(parts[2][1], ones));
  }
  sums[0][0] = total00, sums[0][1] = total01, sums[1][0] = total10, sums[1][1] = total11;
  sums[2][0] = total20, sums[2][1] = total21;
}

/// sums += factor * high parts x weights over the listed quads.
CK_AVX2_INLINE void add_high(const int rows, int32_t factor, const high_list *high, const int8_t *weights,
                             __m256i sums[TILE][2]) {
  const __m256i factors = _mm256_set1_epi16((short)factor);
  for (int32_t first = 0; first < *high->counts; first += HIGH_CHUNK) {
    int32_t end = *high->counts - first < HIGH_CHUNK ? *high->counts : first + HIGH_CHUNK;
    __m256i parts[TILE][2];
    for (int r = 0; r < rows; r++) parts[r][0] = parts[r][1] = _mm256_setzero_si256();
    for (int32_t i = first; i < end; i++) {
      const int8_t *w = weights + high->quads[i] * PANEL_QUAD;
      const uint8_t *a = high->parts + i * SLOT_QUAD;
      __m256i left = load_weights(w), right = load_weights(w + 32);
      for (int r = 0; r < rows; r++) {
        __m256i value = broadcast(a + r * QUAD);
        parts[r][0] = _mm256_add_epi16(parts[r][0], _mm256_maddubs_epi16(value, left));
        parts[r][1] = _mm256_add_epi16(parts[r][1], _mm256_maddubs_epi16(value, right));
      }
    }
    for (int r = 0; r < rows; r++)
      for (int half = 0; half < 2; half++)
        sums[r][half] = _mm256_add_epi32(sums[r][half], _mm256_madd_epi16(parts[r][half], factors));
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
  const int8_t *panel_weights = weights->packed + (int64_t)panel * quads * PANEL_QUAD;
  const int8_t *w = panel_weights + (int64_t)first_quad * PANEL_QUAD;
  const uint8_t *low = space->low + ((int64_t)tile * quads + first_quad) * SLOT_QUAD;
  const uint16_t *order = weights->order + (int64_t)panel * quads + first_quad;
  int32_t count = quads - first_quad < BLOCK_QUADS ? quads - first_quad : BLOCK_QUADS;
  int32_t fours = weights->sets_of_four[panel * blocks + block];
  int32_t *stored = space->sums + (int64_t)tile * TILE * PANEL;

  __m256i sums[TILE][2];
  for (int r = 0; r < TILE; r++)
    for (int half = 0; half < 2; half++)
      sums[r][half] = block == 0 || r >= rows ? _mm256_setzero_si256() : load(stored + r * PANEL + half * 8);
  add_sets(rows, 4, fours, order, low, w, sums);
  add_sets(rows, 1, count - 4 * fours, order + 4 * fours, low, w, sums);
  if (block + 1 < blocks) {
    for (int r = 0; r < rows; r++)
      for (int half = 0; half < 2; half++)
        _mm256_storeu_si256((__m256i *)(stored + r * PANEL + half * 8), sums[r][half]);
    return;
  }
  high_list above = high_of_tile(&space->high[0], tile, quads), below = high_of_tile(&space->high[1], tile, quads);
  add_high(rows, 128, &above, panel_weights, sums);
  add_high(rows, -128, &below, panel_weights, sums);
  for (int r = 0; r < rows; r++) finish(call, space, tile * TILE + r, panel * PANEL, sums[r]);
}

/// Fetches this tile's share of the weights that follow the block in use.
CK_AVX2_INLINE void prefetch_share(const int8_t *next, int32_t tile, int32_t tiles) {
  int32_t lines = (BLOCK_QUADS + tiles - 1) / tiles;
  next += (int64_t)tile * lines * PANEL_QUAD;
  for (int32_t line = 0; line < lines; line++) _mm_prefetch((const char *)next + line * PANEL_QUAD, _MM_HINT_T1);
}

CK_AVX2 void int8_gemm_avx2(const int8_gemm_call *call) {
  workspace space;
  lay_out(call->rows, call->weights, call->scratch, &space);
  split_activations(call, &space);
  int32_t full_tiles = call->rows / TILE, rest = call->rows % TILE, blocks = int8_blocks(call->weights);
  int32_t quads = int8_quads(call->weights), tiles = tile_count(call->rows);
  for (int32_t panel = 0; panel < call->weights->padded_outputs / PANEL; panel++) {
    for (int32_t block = 0; block < blocks; block++) {
      int64_t next_quad = (int64_t)panel * quads + (block + 1 < blocks ? (block + 1) * BLOCK_QUADS : quads);
      const int8_t *next = call->weights->packed + next_quad * PANEL_QUAD;
      for (int32_t tile = 0; tile < full_tiles; tile++) {
        prefetch_share(next, tile, tiles);
        multiply_tile(TILE, call, &space, panel, block, tile);
      }
      if (rest == 2) multiply_tile(2, call, &space, panel, block, full_tiles);
      if (rest == 1) multiply_tile(1, call, &space, panel, block, full_tiles);
    }
  }
}
#endif
