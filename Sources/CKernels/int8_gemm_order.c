// Which products may be added in 16 bits.
//
// The AVX2 kernel multiplies 7-bit activations by 8-bit weights with vpmaddubsw: one 16-bit lane holds the sum of two
// products, at most 127 * 256 = 32512, which always fits. Widening to 32 bits costs a second multiplication, so the
// kernel first adds the lanes of up to four quads in 16 bits. That is exact when the positive weights that meet in a
// lane sum to at most 258 and the negative ones to at least -258 (127 * 258 = 32766). Each
// panel's quads are arranged in sets that meet this bound, as many of them as possible in sets of four.
#include "int8_gemm_order.h"

#include <stdbool.h>
#include <string.h>

#include "int8_gemm_internal.h"

enum {
  LANES = 2 * PANEL,  // 16-bit lanes of one quad of a panel: two for each output
  LANE_LIMIT = 258,   // floor(32767 / 127)
  SET = 4,            // quads added up in 16 bits
  LOOKAHEAD = 48,     // quads tried for a place in a set
};

/// Sums of the weights of each sign, lane by lane: at most 4 * 256.
typedef struct lane_sums {
  uint16_t positive[LANES];
  uint16_t negative[LANES];
} lane_sums;

static void sums_of_quad(const int8_t *quad, lane_sums *sums) {
  for (int lane = 0; lane < LANES; lane++) {
    int first = quad[2 * lane], second = quad[2 * lane + 1];
    sums->positive[lane] = (uint16_t)((first > 0 ? first : 0) + (second > 0 ? second : 0));
    sums->negative[lane] = (uint16_t)((first < 0 ? -first : 0) + (second < 0 ? -second : 0));
  }
}

static bool fits(const lane_sums *a, const lane_sums *b) {
  unsigned over = 0;
  for (int lane = 0; lane < LANES; lane++) {
    over |= (unsigned)(a->positive[lane] + b->positive[lane] > LANE_LIMIT);
    over |= (unsigned)(a->negative[lane] + b->negative[lane] > LANE_LIMIT);
  }
  return !over;
}

static void add(lane_sums *a, const lane_sums *b) {
  for (int lane = 0; lane < LANES; lane++) {
    a->positive[lane] = (uint16_t)(a->positive[lane] + b->positive[lane]);
    a->negative[lane] = (uint16_t)(a->negative[lane] + b->negative[lane]);
  }
}

/// Moves quads out of `rest[0..<*rest_count]` into sets of four, written to `out`. Greedy: each set starts with the
/// first quad left and takes the nearest ones that fit. Returns the number of sets; keeps the order of what is left.
static int32_t take_sets(const lane_sums *sums, uint16_t *rest, int32_t *rest_count, uint16_t *out) {
  uint16_t left_over[BLOCK_QUADS];
  int32_t left_count = 0, sets = 0;
  while (*rest_count > 0) {
    int32_t taken[SET] = {0};
    int count = 1;
    lane_sums total = sums[rest[0]];
    for (int32_t i = 1; i < *rest_count && i < LOOKAHEAD && count < SET; i++) {
      if (!fits(&total, &sums[rest[i]])) continue;
      add(&total, &sums[rest[i]]);
      taken[count++] = i;
    }
    if (count == SET) {
      for (int i = 0; i < SET; i++) out[sets * SET + i] = rest[taken[i]];
      sets++;
    } else {
      left_over[left_count++] = rest[0];
      count = 1;
    }
    int32_t kept = 0;
    for (int32_t i = 0, next = 0; i < *rest_count; i++) {
      if (next < count && taken[next] == i) next++;
      else rest[kept++] = rest[i];
    }
    *rest_count = kept;
  }
  memcpy(rest, left_over, (size_t)left_count * sizeof *rest);
  *rest_count = left_count;
  return sets;
}

void int8_order_quads(ck_int8_weights *weights) {
  int32_t quads = int8_quads(weights), blocks = int8_blocks(weights);
  lane_sums sums[BLOCK_QUADS];
  for (int32_t panel = 0; panel < weights->padded_outputs / PANEL; panel++) {
    for (int32_t block = 0; block < blocks; block++) {
      int32_t first = block * BLOCK_QUADS;
      int32_t count = quads - first < BLOCK_QUADS ? quads - first : BLOCK_QUADS;
      uint16_t rest[BLOCK_QUADS];
      for (int32_t i = 0; i < count; i++) {
        rest[i] = (uint16_t)i;
        sums_of_quad(weights->packed + ((int64_t)panel * quads + first + i) * PANEL_QUAD, &sums[i]);
      }
      int32_t total = count;
      uint16_t *start = weights->order + (int64_t)panel * quads + first, *out = start;
      int32_t sets = take_sets(sums, rest, &count, out);
      memcpy(out + sets * SET, rest, (size_t)count * sizeof *rest);
      weights->sets_of_four[(int64_t)panel * blocks + block] = (uint16_t)sets;
      for (int32_t i = 0; i < total; i++) start[i] = (uint16_t)(start[i] * 8);
    }
  }
}
