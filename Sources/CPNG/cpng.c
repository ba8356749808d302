#include "cpng.h"

#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const uint8_t *bytes;
  size_t remaining;
  bool ran_out, no_memory, complete;
  char *message;
} source;

static void on_read(png_structp png, png_bytep out, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->remaining) {
    from->ran_out = true;
    png_error(png, "the file ends early");
  }
  memcpy(out, from->bytes, count);
  from->bytes += count;
  from->remaining -= count;
}

static void on_error(png_structp png, png_const_charp text) {
  source *from = png_get_error_ptr(png);
  strncpy(from->message, text, CPNG_MESSAGE_SIZE - 1);
  from->message[CPNG_MESSAGE_SIZE - 1] = 0;
  png_longjmp(png, 1);
}

static png_voidp on_allocate(png_structp png, png_alloc_size_t size) {
  source *from = png_get_mem_ptr(png);
  void *memory = malloc(size);
  if (memory == NULL) from->no_memory = true;
  return memory;
}

static void on_free(png_structp png, png_voidp memory) {
  (void)png;
  free(memory);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

/// Apart from `cpng_decode_rgb`, so that what changes between setjmp and longjmp is no local variable of this function.
static cpng_status decode(source *from, uint32_t width, uint32_t height, uint8_t *out) {
  png_structp png =
      png_create_read_struct_2(PNG_LIBPNG_VER_STRING, from, on_error, on_warning, from, on_allocate, on_free);
  if (png == NULL) return CPNG_NO_MEMORY;
  png_infop info = png_create_info_struct(png);
  if (info == NULL) {
    png_destroy_read_struct(&png, NULL, NULL);
    return CPNG_NO_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    // What follows the last row (the end of the stream's checksum, IEND) adds no pixel.
    if (from->ran_out) return from->complete ? CPNG_OK : CPNG_TRUNCATED;
    return from->no_memory ? CPNG_NO_MEMORY : CPNG_CORRUPT;
  }
  png_set_read_fn(png, from, on_read);
  png_set_user_limits(png, width, height);
  png_set_chunk_malloc_max(png, 1 << 20);
  png_set_chunk_cache_max(png, 16);
  // A count of -1 means the ancillary chunks that libpng knows but for tRNS, among them text and profiles that could
  // unpack to any size.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(png, info);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height) {
    png_error(png, "two headers disagree");
  }
  int depth = png_get_bit_depth(png, info);
  int color = png_get_color_type(png, info);
  if (depth == 16) png_set_strip_16(png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if ((color & PNG_COLOR_MASK_COLOR) == 0) {
    if (depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
  }
  // Always: looking up a palette that has tRNS makes an alpha channel too.
  png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != (size_t)width * 3) png_error(png, "unexpected row size");
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t y = 0; y < height; y++) png_read_row(png, out + (size_t)y * width * 3, NULL);
  }
  from->complete = true;
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  return CPNG_OK;
}

cpng_status cpng_decode_rgb(const uint8_t *bytes, size_t length, uint32_t width, uint32_t height, uint8_t *out,
                            char message[CPNG_MESSAGE_SIZE]) {
  message[0] = 0;
  source from = {.bytes = bytes, .remaining = length, .message = message};
  return decode(&from, width, height, out);
}
