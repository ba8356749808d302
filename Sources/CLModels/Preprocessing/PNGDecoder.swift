import CPNG

/// PNG through libpng: every colour type and depth, interlaced or not; the eXIf chunk's orientation applied.
enum PNGDecoder {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  static func decode(_ bytes: [UInt8], limits: ImageLimits) throws(ImageError) -> RGBImage {
    guard bytes.count >= 33 else { throw .truncated("the file ends within its header") }
    guard bytes[12..<16].elementsEqual("IHDR".utf8) else { throw .corrupt("the first chunk is not IHDR") }
    let width = bigEndian(bytes, at: 16)
    let height = bigEndian(bytes, at: 20)
    try limits.check(width: width, height: height)
    let size = width * height * 3
    var status = CPNG_OK
    var reason = ""
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { out, count in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CPNG_MESSAGE_SIZE)) { message in
        message.initialize(repeating: 0)
        status = bytes.withUnsafeBufferPointer { file in
          cpng_decode_rgb(
            file.baseAddress, file.count, UInt32(width), UInt32(height), out.baseAddress, message.baseAddress)
        }
        if status != CPNG_OK, let text = message.baseAddress { reason = String(cString: text) }
      }
      count = status == CPNG_OK ? size : 0
    }
    switch status {
    case CPNG_OK: break
    case CPNG_TRUNCATED: throw .truncated(reason)
    case CPNG_NO_MEMORY: throw .outOfMemory
    default: throw .corrupt(reason)
    }
    let image = RGBImage(width: width, height: height, pixels: pixels)
    return (orientation(of: bytes) ?? .upright).apply(to: image)
  }

  private static func bigEndian(_ bytes: [UInt8], at index: Int) -> Int {
    bytes[index..<(index + 4)].reduce(0) { $0 << 8 | Int($1) }
  }

  /// Walks the chunks to the first eXIf, which may stand before or after the pixels.
  private static func orientation(of bytes: [UInt8]) -> ImageOrientation? {
    var index = signature.count
    while index + 12 <= bytes.count {
      let length = bigEndian(bytes, at: index)
      guard length <= bytes.count - index - 12 else { return nil }
      let payload = (index + 8)..<(index + 8 + length)
      if bytes[(index + 4)..<(index + 8)].elementsEqual("eXIf".utf8) {
        return ImageOrientation(exif: bytes[payload])
      }
      index = payload.upperBound + 4
    }
    return nil
  }
}
