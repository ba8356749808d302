#include "cjpeg.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// These need stdio.h in front.
#include <jerror.h>
#include <jpeglib.h>

_Static_assert(CJPEG_MESSAGE_SIZE >= JMSG_LENGTH_MAX, "libjpeg's messages fit");

/// Handed to every callback as libjpeg's `client_data`.
typedef struct decoder {
  struct jpeg_decompress_struct info;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  int maximum_scans;
  cjpeg_status status;
  char *message;
} decoder;

enum { END_OF_IMAGE = 0xD9, FILL_BYTES = 3 };

_Noreturn static void fail(decoder *self, cjpeg_status status, const char *message) {
  self->status = status;
  if (message) snprintf(self->message, CJPEG_MESSAGE_SIZE, "%s", message);
  else self->errors.format_message((j_common_ptr)&self->info, self->message);
  longjmp(self->escape, 1);
}

static void on_error(j_common_ptr info) {
  decoder *self = info->client_data;
  switch (info->err->msg_code) {
  case JERR_OUT_OF_MEMORY: fail(self, CJPEG_NO_MEMORY, NULL);
  case JERR_ARITH_NOTIMPL:
  case JERR_BAD_PRECISION:
  case JERR_CCIR601_NOTIMPL:
  case JERR_COMPONENT_COUNT:
  case JERR_CONVERSION_NOTIMPL:
  case JERR_FRACT_SAMPLE_NOTIMPL:
  case JERR_NOT_COMPILED:
  case JERR_SOF_UNSUPPORTED: fail(self, CJPEG_UNSUPPORTED, NULL);
  default: fail(self, CJPEG_CORRUPT, NULL);
  }
}

/// Warnings have level -1, traces others.
static void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  decoder *self = info->client_data;
  const int *parameters = info->err->msg_parm.i;
  switch (info->err->msg_code) {
  case JWRN_ADOBE_XFORM:
  case JWRN_JFIF_MAJOR: return;
  case JWRN_EXTRANEOUS_DATA: // so many bytes in front of this marker
    if (self->info.input_scan_number == 0) return;
    if (parameters[0] <= FILL_BYTES && parameters[1] == END_OF_IMAGE) return;
    break;
  case JWRN_HIT_MARKER:
  case JWRN_JPEG_EOF: fail(self, CJPEG_TRUNCATED, NULL);
  default: break;
  }
  fail(self, CJPEG_CORRUPT, NULL);
}

static void on_progress(j_common_ptr info) {
  decoder *self = info->client_data;
  if (self->info.input_scan_number > self->maximum_scans) fail(self, CJPEG_UNSUPPORTED, "too many scans");
}

/// Apart from `cjpeg_decode`, so that what changes between setjmp and longjmp is no local variable of this function.
static void decode(decoder *self, const uint8_t *bytes, size_t length, cjpeg_frame frame, uint32_t shrink,
                   uint8_t *out) {
  struct jpeg_decompress_struct *info = &self->info;
  if (setjmp(self->escape)) return;
  jpeg_create_decompress(info);
  // Afterwards: it clears all but `err` and `client_data`.
  info->progress = &self->progress;
  jpeg_mem_src(info, bytes, length);
  jpeg_read_header(info, TRUE);
  if (info->image_width != frame.width || info->image_height != frame.height ||
      info->num_components != (int)frame.components)
    fail(self, CJPEG_CORRUPT, "two headers disagree");
  int samples = frame.components == 4 ? 4 : 3;
  info->out_color_space = samples == 4 ? JCS_CMYK : JCS_RGB;
  info->scale_num = 1;
  info->scale_denom = shrink;
  info->dct_method = JDCT_ISLOW;
  info->do_fancy_upsampling = TRUE;
  jpeg_start_decompress(info);
  if (info->output_width != (frame.width + shrink - 1) / shrink ||
      info->output_height != (frame.height + shrink - 1) / shrink || info->output_components != samples)
    fail(self, CJPEG_CORRUPT, "unexpected size");
  size_t stride = (size_t)info->output_width * (size_t)samples;
  while (info->output_scanline < info->output_height) {
    JSAMPROW row = out + info->output_scanline * stride;
    jpeg_read_scanlines(info, &row, 1);
  }
  // Reads on to the end marker.
  jpeg_finish_decompress(info);
  self->status = CJPEG_OK;
}

cjpeg_status cjpeg_decode(const uint8_t *bytes, size_t length, cjpeg_frame frame, uint32_t shrink,
                          uint32_t maximum_scans, uint8_t *out, char message[CJPEG_MESSAGE_SIZE]) {
  message[0] = 0;
  decoder self = {.maximum_scans = (int)maximum_scans, .status = CJPEG_CORRUPT, .message = message};
  self.info.err = jpeg_std_error(&self.errors);
  self.info.client_data = &self;
  self.errors.error_exit = on_error;
  self.errors.emit_message = on_message;
  self.progress.progress_monitor = on_progress;
  decode(&self, bytes, length, frame, shrink, out);
  jpeg_destroy_decompress(&self.info);
  return self.status;
}
