#include "resize.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Fused multiply-adds would round the coefficients differently from Pillow's.
#pragma STDC FP_CONTRACT OFF

// Coefficients have 22 fractional bits: 8 bits for the sample and 2 for the cubic's overshoot fill an int32_t.
enum { PRECISION = 32 - 8 - 2 };

/// One axis: output i is the sum over t in 0..<taps[i] of coefficient[i * stride + t] * input[first[i] + t].
typedef struct {
  int32_t count;
  int32_t stride; // coefficients a output, a multiple of 4, zeros after the last tap
  int32_t *first;
  int32_t *taps;
  int32_t *coefficients;
} axis;

static double cubic(double x) {
  const double a = -0.5;
  if (x < 0) x = -x;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

static void axis_free(axis *of) {
  free(of->first);
  free(of->taps);
  free(of->coefficients);
}

/// Outputs `from ..< from + count` of resampling `size` samples to `out_size`. The order of operations is Pillow's, so
/// that every double rounds the same way.
static bool axis_make(axis *of, int32_t size, int32_t out_size, int32_t from, int32_t count) {
  double scale = (double)size / out_size;
  double filter_scale = scale < 1 ? 1 : scale;
  double support = 2.0 * filter_scale;
  double inverse = 1.0 / filter_scale;
  int32_t width = (int32_t)ceil(support) * 2 + 1;
  of->count = count;
  of->stride = (width + 3) / 4 * 4;
  of->first = malloc(sizeof(int32_t) * (size_t)count);
  of->taps = malloc(sizeof(int32_t) * (size_t)count);
  of->coefficients = calloc((size_t)count * (size_t)of->stride, sizeof(int32_t));
  double *weights = malloc(sizeof(double) * (size_t)width);
  bool made = of->first && of->taps && of->coefficients && weights;
  for (int32_t i = 0; made && i < count; i++) {
    double center = 0.0 + (from + i + 0.5) * scale;
    double low = center - support + 0.5;
    double high = center + support + 0.5;
    int32_t first = low < 0 ? 0 : (int32_t)low;
    int32_t end = high > size ? size : (int32_t)high;
    int32_t taps = end - first;
    double sum = 0;
    for (int32_t t = 0; t < taps; t++) {
      weights[t] = cubic((t + first - center + 0.5) * inverse);
      sum += weights[t];
    }
    int32_t *row = of->coefficients + (size_t)i * of->stride;
    for (int32_t t = 0; t < taps; t++) {
      double weight = sum != 0.0 ? weights[t] / sum : weights[t];
      row[t] = (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION));
    }
    of->first[i] = first;
    of->taps[i] = taps;
  }
  free(weights);
  if (!made) axis_free(of);
  return made;
}

static inline uint8_t clip(int32_t sum) {
  int32_t value = sum >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

// Scalar reference.

/// One row: `in` to `[count, 3]`.
static void horizontal_scalar(const axis *by, const uint8_t *in, uint8_t *out) {
  for (int32_t i = 0; i < by->count; i++) {
    const int32_t *k = by->coefficients + (size_t)i * by->stride;
    const uint8_t *p = in + (size_t)by->first[i] * 3;
    int32_t r = 1 << (PRECISION - 1), g = r, b = r;
    for (int32_t t = 0; t < by->taps[i]; t++) {
      r += k[t] * p[3 * t];
      g += k[t] * p[3 * t + 1];
      b += k[t] * p[3 * t + 2];
    }
    out[3 * i] = clip(r);
    out[3 * i + 1] = clip(g);
    out[3 * i + 2] = clip(b);
  }
}

/// One output row from `taps` input rows of `bytes` bytes each, bytes `from ..< bytes`.
static void vertical_scalar(const int32_t *k, int32_t taps, const uint8_t *in, ptrdiff_t bytes, ptrdiff_t from,
                            uint8_t *out) {
  for (ptrdiff_t x = from; x < bytes; x++) {
    int32_t sum = 1 << (PRECISION - 1);
    for (int32_t t = 0; t < taps; t++) sum += k[t] * in[t * bytes + x];
    out[x] = clip(sum);
  }
}

#if defined(__x86_64__)

// A coefficient c is c_high * 2^15 + c_low with 0 <= c_low < 2^15, so that vpmaddwd multiplies both halves. The halves'
// sums may wrap; their combination is the exact sum, which fits, because addition modulo 2^32 is associative.

static inline int16_t low_half(int32_t c) { return (int16_t)(c & 0x7fff); }
static inline int16_t high_half(int32_t c) { return (int16_t)(c >> 15); }

/// Halves of four taps laid out for vpmaddwd: lane 0 has taps 0 and 1, lane 1 taps 2 and 3, each pair four times.
typedef struct {
  int16_t low[16], high[16];
} quad;

/// `[count * stride / 4]` quads, 32-byte aligned; NULL when memory is out.
static quad *quads_make(const axis *of) {
  size_t count = (size_t)of->count * (size_t)(of->stride / 4);
  quad *quads = aligned_alloc(64, (count * sizeof(quad) + 63) / 64 * 64);
  if (quads == NULL) return NULL;
  for (size_t q = 0; q < count; q++) {
    const int32_t *k = of->coefficients + 4 * q;
    for (int lane = 0; lane < 16; lane++) {
      int32_t c = k[lane / 8 * 2 + lane % 2];
      quads[q].low[lane] = low_half(c);
      quads[q].high[lane] = high_half(c);
    }
  }
  return quads;
}

/// Four rows `stride` bytes apart at once (they share the coefficients). Reads up to 16 bytes past the last tap.
__attribute__((target("avx2"))) static void horizontal_avx2(const axis *by, const quad *quads, const uint8_t *in,
                                                            ptrdiff_t stride, uint8_t *out, ptrdiff_t out_stride) {
  const __m256i spread =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11,
                       -1, -1, -1, -1, -1);
  const __m128i half = _mm_set1_epi32(1 << (PRECISION - 1));
  for (int32_t i = 0; i < by->count; i++) {
    const quad *q = quads + (size_t)i * (size_t)(by->stride / 4);
    const uint8_t *p = in + (size_t)by->first[i] * 3;
    __m256i low[4], high[4];
    for (int r = 0; r < 4; r++) low[r] = high[r] = _mm256_setzero_si256();
    for (int32_t t = 0; t < by->taps[i]; t += 4, q++, p += 12) {
      __m256i k_low = _mm256_load_si256((const __m256i *)q->low);
      __m256i k_high = _mm256_load_si256((const __m256i *)q->high);
      for (int r = 0; r < 4; r++) {
        __m256i samples = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p + r * stride)));
        samples = _mm256_shuffle_epi8(samples, spread);
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(samples, k_low));
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(samples, k_high));
      }
    }
    for (int r = 0; r < 4; r++) {
      __m256i both = _mm256_add_epi32(low[r], _mm256_slli_epi32(high[r], 15));
      __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
      sum = _mm_srai_epi32(_mm_add_epi32(sum, half), PRECISION);
      sum = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
      int32_t pixel = _mm_cvtsi128_si32(sum);
      memcpy(out + r * out_stride + 3 * i, &pixel, 3);
    }
  }
}

/// As `vertical_scalar` for the first `bytes / 16 * 16` bytes. Returns how many.
__attribute__((target("avx2"))) static ptrdiff_t vertical_avx2(const int32_t *k, int32_t taps, const uint8_t *in,
                                                               ptrdiff_t bytes, uint8_t *out) {
  const __m256i half = _mm256_set1_epi32(1 << (PRECISION - 1));
  ptrdiff_t x = 0;
  for (; x + 16 <= bytes; x += 16) {
    __m256i low0 = _mm256_setzero_si256(), low1 = low0, high0 = low0, high1 = low0;
    for (int32_t t = 0; t < taps; t += 2) {
      const uint8_t *p = in + t * bytes + x;
      int32_t next = t + 1 < taps ? k[t + 1] : 0;
      __m128i a = _mm_loadu_si128((const __m128i *)p);
      __m128i b = t + 1 < taps ? _mm_loadu_si128((const __m128i *)(p + bytes)) : _mm_setzero_si128();
      __m256i first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      __m256i second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      __m256i k_low = _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)low_half(k[t]) |
                                                  (uint32_t)(uint16_t)low_half(next) << 16));
      __m256i k_high = _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)high_half(k[t]) |
                                                   (uint32_t)(uint16_t)high_half(next) << 16));
      low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(first, k_low));
      high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(first, k_high));
      low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(second, k_low));
      high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(second, k_high));
    }
    __m256i sum0 = _mm256_add_epi32(low0, _mm256_slli_epi32(high0, 15));
    __m256i sum1 = _mm256_add_epi32(low1, _mm256_slli_epi32(high1, 15));
    sum0 = _mm256_srai_epi32(_mm256_add_epi32(sum0, half), PRECISION);
    sum1 = _mm256_srai_epi32(_mm256_add_epi32(sum1, half), PRECISION);
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(sum0, sum1), _MM_SHUFFLE(3, 1, 2, 0));
    __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(out + x), packed);
  }
  return x;
}

#endif

static bool plan_valid(const ck_resize_plan *plan) {
  return plan->width > 0 && plan->height > 0 && plan->crop_left >= 0 && plan->crop_top >= 0 && plan->crop_width > 0 &&
         plan->crop_height > 0 && (int64_t)plan->crop_left + plan->crop_width <= plan->out_width &&
         (int64_t)plan->crop_top + plan->crop_height <= plan->out_height;
}

/// Rows `from ..< from + rows` of the input to `middle`, `[rows, crop_width, 3]`.
static bool horizontal(ck_isa isa, const ck_resize_plan *plan, const axis *columns, int32_t from, int32_t rows,
                       const uint8_t *in, uint8_t *middle) {
  ptrdiff_t stride = (ptrdiff_t)plan->width * 3;
  ptrdiff_t out_stride = (ptrdiff_t)plan->crop_width * 3;
  const uint8_t *source = in + from * stride;
  if (plan->width == plan->out_width) {
    for (int32_t y = 0; y < rows; y++) {
      memcpy(middle + y * out_stride, source + y * stride + (ptrdiff_t)plan->crop_left * 3, (size_t)out_stride);
    }
    return true;
  }
  int32_t y = 0;
#if defined(__x86_64__)
  if (isa >= CK_ISA_AVX2) {
    quad *quads = quads_make(columns);
    if (quads == NULL) return false;
    // The last rows of the image go through the scalar code: wide loads would read past its end.
    ptrdiff_t slack = (ptrdiff_t)(plan->height - from) * stride - 16;
    for (; y + 4 <= rows && (y + 4) * stride <= slack; y += 4) {
      horizontal_avx2(columns, quads, source + y * stride, stride, middle + y * out_stride, out_stride);
    }
    free(quads);
  }
#endif
  for (; y < rows; y++) horizontal_scalar(columns, source + y * stride, middle + y * out_stride);
  return true;
}

bool ck_resize_bicubic_rgb8(ck_isa isa, const ck_resize_plan *plan, const uint8_t *in, uint8_t *out) {
  if (!plan_valid(plan)) return false;
  axis columns, rows;
  if (!axis_make(&columns, plan->width, plan->out_width, plan->crop_left, plan->crop_width)) return false;
  if (!axis_make(&rows, plan->height, plan->out_height, plan->crop_top, plan->crop_height)) {
    axis_free(&columns);
    return false;
  }
  bool same_height = plan->height == plan->out_height;
  int32_t last = rows.count - 1;
  int32_t from = same_height ? plan->crop_top : rows.first[0];
  int32_t needed = same_height ? plan->crop_height : rows.first[last] + rows.taps[last] - from;
  ptrdiff_t bytes = (ptrdiff_t)plan->crop_width * 3;
  uint8_t *middle = same_height ? out : malloc((size_t)needed * (size_t)bytes);
  bool done = middle != NULL && horizontal(isa, plan, &columns, from, needed, in, middle);
  for (int32_t i = 0; done && !same_height && i < rows.count; i++) {
    const int32_t *k = rows.coefficients + (size_t)i * rows.stride;
    const uint8_t *source = middle + (rows.first[i] - from) * bytes;
    uint8_t *row = out + i * bytes;
    ptrdiff_t x = 0;
#if defined(__x86_64__)
    if (isa >= CK_ISA_AVX2) x = vertical_avx2(k, rows.taps[i], source, bytes, row);
#endif
    vertical_scalar(k, rows.taps[i], source, bytes, x, row);
  }
  if (!same_height) free(middle);
  axis_free(&columns);
  axis_free(&rows);
  return done;
}
