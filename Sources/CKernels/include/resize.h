// Antialiased bicubic resampling of 8-bit RGB, bit for bit as Pillow's `Image.resize(..., BICUBIC)`.
// Up to version 12, that is: 13 takes some images that shrink more in height the vertical pass first, which changes the
// mean by at most 0.31/255 (the largest of 1,673 pictures).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"

/// What to resample: the whole image to `out_width` x `out_height`, of which only the crop is computed.
typedef struct ck_resize_plan {
  int32_t width, height;         // of the input, at least 1
  int32_t out_width, out_height; // of the resampled image the crop is taken from, at least 1
  int32_t crop_left, crop_top, crop_width, crop_height; // within it, at least 1 x 1
} ck_resize_plan;

/// Resamples `in` (`[height, width, 3]`) and writes the crop to `out` (`[crop_height, crop_width, 3]`).
///
/// The kernel is the cubic with a = -0.5, widened by the scale when shrinking. Two passes, horizontal then vertical, each
/// in fixed point with 22 fractional bits and rounded to 8 bits; every variant computes the same bytes. Only the rows and
/// columns the crop depends on are read. One thread. Returns false when memory is out or the plan is not valid.
bool ck_resize_bicubic_rgb8(ck_isa isa, const ck_resize_plan *plan, const uint8_t *in, uint8_t *out);
