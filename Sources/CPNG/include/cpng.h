// Reads PNG files; wraps the setjmp that Swift cannot import.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum cpng_status {
  CPNG_OK = 0,
  CPNG_TRUNCATED = 1,
  CPNG_CORRUPT = 2,
  CPNG_NO_MEMORY = 3,
} cpng_status;

/// Bytes of the message buffer, terminator included.
enum { CPNG_MESSAGE_SIZE = 128 };

/// Decodes a whole file to 8-bit RGB, `[height, width, 3]`.
///
/// width and height are what the caller read from IHDR and sized `out` by; a file that disagrees is corrupt. Palettes are
/// looked up, grey is repeated, samples of 16 bits keep their high byte, alpha and tRNS are dropped without compositing,
/// gamma and colour profiles are ignored: what Pillow's `convert("RGB")` does. Chunks of text, profiles and other metadata
/// are skipped unread. On failure `out` holds unspecified bytes and message says why.
cpng_status cpng_decode_rgb(const uint8_t *bytes, size_t length, uint32_t width, uint32_t height, uint8_t *out,
                            char message[CPNG_MESSAGE_SIZE]);
