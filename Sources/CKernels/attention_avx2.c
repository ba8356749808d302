// One head of attention on AVX2, in float.
//
// Both products have one form, rows of a times panels of 16 columns of b: scores from q and k^T (depth head_width),
// the result from scores and v (depth tokens). Per head, k and v are packed once into panels `[columns/16][depth][16]`;
// then blocks of 24 queries go through scores, softmax and result while their scores are in the first cache.
#include "attention_internal.h"

#if defined(__x86_64__)
#include <math.h>

#include "vector_math_avx2.h"

enum {
  QUERY_BLOCK = 24,
  TILE_ROWS = 6, // 6 x 16 outputs: 12 of 16 registers
  WIDTH = 16,    // columns of a panel
};

static int32_t round_to_panel(int32_t columns) { return (columns + WIDTH - 1) / WIDTH * WIDTH; }

/// Floats of scratch: panels of k, panels of v, scores of a block of queries and the inverses of their sums.
static size_t key_floats(int32_t tokens, int32_t head_width) {
  return (size_t)round_to_panel(tokens) * (size_t)head_width;
}
static size_t value_floats(int32_t tokens, int32_t head_width) {
  return (size_t)tokens * (size_t)round_to_panel(head_width);
}

size_t attention_scratch_avx2(int32_t tokens, int32_t head_width) {
  size_t floats = key_floats(tokens, head_width) + value_floats(tokens, head_width) +
                  (size_t)QUERY_BLOCK * (size_t)round_to_panel(tokens) + QUERY_BLOCK;
  return (floats * sizeof(float) + 63) / 64 * 64;
}

/// Eight keys' eight values from k to `[value][key]`, rows `WIDTH` apart.
CK_AVX2_INLINE void transpose_store(const float *k, int32_t ldk, float *out) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(k + (int64_t)i * ldk);
  for (int i = 0; i < 4; i++) {
    s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xEE);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_store_ps(out + i * WIDTH, _mm256_permute2f128_ps(r[i], r[4 + i], 0x20));
    _mm256_store_ps(out + (4 + i) * WIDTH, _mm256_permute2f128_ps(r[i], r[4 + i], 0x31));
  }
}

/// k `[tokens, ldk]` to `[tokens/16][head_width][16]`; keys past the last are zeros.
CK_AVX2 static void pack_keys(int32_t tokens, int32_t head_width, const float *k, int32_t ldk, float *out) {
  for (int32_t first = 0; first < tokens; first += 8) {
    float *panel = out + (int64_t)(first / WIDTH) * head_width * WIDTH + first % WIDTH;
    const float *keys = k + (int64_t)first * ldk;
    if (first + 8 <= tokens) {
      for (int32_t d = 0; d < head_width; d += 8) transpose_store(keys + d, ldk, panel + (int64_t)d * WIDTH);
    } else {
      for (int32_t d = 0; d < head_width; d++)
        for (int32_t i = 0; i < 8; i++)
          panel[(int64_t)d * WIDTH + i] = first + i < tokens ? keys[(int64_t)i * ldk + d] : 0.0f;
    }
  }
  if (round_to_panel(tokens) - tokens < 8) return;
  float *last = out + (int64_t)(tokens / WIDTH) * head_width * WIDTH + 8;
  for (int32_t d = 0; d < head_width; d++) _mm256_store_ps(last + (int64_t)d * WIDTH, _mm256_setzero_ps());
}

/// v `[tokens, ldv]` to `[head_width/16][tokens][16]`; columns past the last are zeros.
CK_AVX2 static void pack_values(int32_t tokens, int32_t head_width, const float *v, int32_t ldv, float *out) {
  for (int32_t first = 0; first < head_width; first += WIDTH) {
    for (int32_t j = 0; j < tokens; j++, out += WIDTH) {
      const float *from = v + (int64_t)j * ldv + first;
      _mm256_store_ps(out, _mm256_loadu_ps(from));
      _mm256_store_ps(out + 8, first + 8 < head_width ? _mm256_loadu_ps(from + 8) : _mm256_setzero_ps());
    }
  }
}

/// sums[r] = sum_d a[r][d] * panel[d]
CK_AVX2_INLINE void multiply_rows(const int rows, int32_t depth, const float *a, int32_t lda, const float *panel,
                                  __m256 sums[TILE_ROWS][2]) {
  for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
  for (int32_t d = 0; d < depth; d++) {
    __m256 left = _mm256_load_ps(panel + (int64_t)d * WIDTH), right = _mm256_load_ps(panel + (int64_t)d * WIDTH + 8);
    for (int r = 0; r < rows; r++) {
      __m256 value = _mm256_broadcast_ss(a + (int64_t)r * lda + d);
      sums[r][0] = _mm256_fmadd_ps(value, left, sums[r][0]);
      sums[r][1] = _mm256_fmadd_ps(value, right, sums[r][1]);
    }
  }
}

/// out `[rows, ldo]`, `columns` (8 or at least 16) of them written. `factors` (one a row) may be NULL.
CK_AVX2_INLINE void multiply_tile(const int rows, int32_t depth, const float *a, int32_t lda, const float *panel,
                                  const float *factors, int32_t columns, float *out, int32_t ldo) {
  __m256 sums[TILE_ROWS][2];
  multiply_rows(rows, depth, a, lda, panel, sums);
  for (int r = 0; r < rows; r++) {
    __m256 factor = _mm256_set1_ps(factors ? factors[r] : 1.0f);
    _mm256_storeu_ps(out + (int64_t)r * ldo, _mm256_mul_ps(sums[r][0], factor));
    if (columns > 8) _mm256_storeu_ps(out + (int64_t)r * ldo + 8, _mm256_mul_ps(sums[r][1], factor));
  }
}

/// out `[rows, ldo]` = factors * (a `[rows, lda]` x panels of b)
CK_AVX2 static void multiply_panels(int32_t rows, int32_t columns, int32_t depth, const float *a, int32_t lda,
                                    const float *panels, const float *factors, float *out, int32_t ldo) {
  for (int32_t column = 0; column < columns; column += WIDTH) {
    const float *panel = panels + (int64_t)column * depth;
    int32_t rest = columns - column;
    for (int32_t row = 0; row < rows; row += TILE_ROWS) {
      const float *from = a + (int64_t)row * lda, *scale = factors ? factors + row : NULL;
      float *to = out + (int64_t)row * ldo + column;
      switch (rows - row) {
        case 1: multiply_tile(1, depth, from, lda, panel, scale, rest, to, ldo); break;
        case 2: multiply_tile(2, depth, from, lda, panel, scale, rest, to, ldo); break;
        case 3: multiply_tile(3, depth, from, lda, panel, scale, rest, to, ldo); break;
        case 4: multiply_tile(4, depth, from, lda, panel, scale, rest, to, ldo); break;
        case 5: multiply_tile(5, depth, from, lda, panel, scale, rest, to, ldo); break;
        default: multiply_tile(6, depth, from, lda, panel, scale, rest, to, ldo); break;
      }
    }
  }
}

/// scores = exp(scale * (scores - highest)) in place; returns 1 / their sum.
CK_AVX2 static float exponentials(int32_t tokens, float scale, float *scores) {
  float highest = scores[0], total = 0;
  int32_t j = 0;
  if (tokens >= 8) {
    __m256 most = _mm256_loadu_ps(scores);
    for (j = 8; j + 8 <= tokens; j += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(scores + j));
    highest = max_avx2(most);
  }
  for (; j < tokens; j++) highest = scores[j] > highest ? scores[j] : highest;
  __m256 sum = _mm256_setzero_ps(), scales = _mm256_set1_ps(scale), shift = _mm256_set1_ps(highest);
  for (j = 0; j + 8 <= tokens; j += 8) {
    __m256 value = exp_avx2(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(scores + j), shift), scales));
    _mm256_storeu_ps(scores + j, value);
    sum = _mm256_add_ps(sum, value);
  }
  for (; j < tokens; j++) total += scores[j] = expf((scores[j] - highest) * scale);
  return 1.0f / (total + sum_avx2(sum));
}

CK_AVX2 void attention_avx2(const attention_head *head) {
  int32_t tokens = head->tokens, head_width = head->head_width, padded_tokens = round_to_panel(tokens);
  float *keys = head->scratch, *values = keys + key_floats(tokens, head_width);
  float *scores = values + value_floats(tokens, head_width), *inverses = scores + QUERY_BLOCK * padded_tokens;
  float scale = 1.0f / sqrtf((float)head_width);
  pack_keys(tokens, head_width, head->k, head->ldkv, keys);
  pack_values(tokens, head_width, head->v, head->ldkv, values);
  for (int32_t first = 0; first < head->queries; first += QUERY_BLOCK) {
    int32_t rows = head->queries - first < QUERY_BLOCK ? head->queries - first : QUERY_BLOCK;
    const float *q = head->q + (int64_t)first * head->ldq;
    multiply_panels(rows, padded_tokens, head_width, q, head->ldq, keys, NULL, scores, padded_tokens);
    for (int32_t r = 0; r < rows; r++) inverses[r] = exponentials(tokens, scale, scores + r * padded_tokens);
    multiply_panels(rows, head_width, tokens, scores, padded_tokens, values, inverses,
                    head->out + (int64_t)first * head->ldo, head->ldo);
  }
}
#endif
