// Reads JPEG files; wraps the setjmp that Swift cannot import.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum cjpeg_status {
  CJPEG_OK = 0,
  CJPEG_TRUNCATED = 1,
  CJPEG_CORRUPT = 2,
  CJPEG_UNSUPPORTED = 3,
  CJPEG_NO_MEMORY = 4,
} cjpeg_status;

/// Bytes of the message buffer, terminator included.
enum { CJPEG_MESSAGE_SIZE = 200 };

/// What the caller read from the file's markers; a file of other sides or components is corrupt.
typedef struct cjpeg_frame {
  uint32_t width, height, components;
} cjpeg_frame;

/// Decodes a whole file to 8-bit samples, `[ceil(height / shrink), ceil(width / shrink), samples]`.
///
/// samples is 4 for a file of four components, whose ink stays as it is stored (CMYK; YCCK is converted to it), and else 3:
/// RGB. shrink is 1, 2, 4 or 8. The accurate inverse transform and smooth upsampling are used.
///
/// The first sign of damage fails, also where libjpeg would warn and guess on. Let through are warnings that leave every
/// pixel as it was written: an unknown colour transform of Adobe's or revision of JFIF, bytes between segments in front of
/// the first scan, and up to 3 in front of the end marker (encoders in cameras fill their last word; libjpeg itself reads
/// some 7 ahead unnoticed). More bytes there are what a damaged scan did not use. On failure `out` holds unspecified bytes and message says why.
cjpeg_status cjpeg_decode(const uint8_t *bytes, size_t length, cjpeg_frame frame, uint32_t shrink,
                          uint32_t maximum_scans, uint8_t *out, char message[CJPEG_MESSAGE_SIZE]);
