/// Reads JPEG, PNG and WebP files as `PIL.ImageOps.exif_transpose(PIL.Image.open(file)).convert("RGB")` does.
///
/// So alpha is dropped, not composited; colour profiles and gamma are ignored; CMYK is converted by Pillow's formula; of an
/// animation the first frame is taken. One departure: 16-bit grey keeps its high byte, where Pillow clips at 255.
package enum ImageDecoder {
  /// The whole image, upright. Any thread.
  package static func decode(_ bytes: [UInt8], limits: ImageLimits) throws(ImageError) -> RGBImage {
    switch format(of: bytes) {
    case .jpeg: try JPEGDecoder.decode(bytes, limits: limits, neededSide: nil)
    case .png: try PNGDecoder.decode(bytes, limits: limits)
    case .webp: try WebPDecoder.decode(bytes, limits: limits)
    case nil: throw .unknownFormat
    }
  }

  /// As `decode(_:limits:)`, but a JPEG whose short side is far above `neededSide` may come out smaller: by 2, 4 or 8, and
  /// then still at least twice `neededSide`. For images that are about to be resized to `neededSide`.
  package static func decode(
    _ bytes: [UInt8], limits: ImageLimits, neededSide: Int
  ) throws(ImageError) -> RGBImage {
    guard format(of: bytes) == .jpeg else { return try decode(bytes, limits: limits) }
    return try JPEGDecoder.decode(bytes, limits: limits, neededSide: neededSide)
  }

  /// What the first bytes say the file is; the rest is not looked at.
  package static func format(of bytes: [UInt8]) -> ImageFormat? {
    ImageFormat(signatureOf: bytes)
  }
}
