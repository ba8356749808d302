import CJPEG

/// JPEG through libjpeg-turbo: baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK; EXIF orientation applied.
///
/// As strict as Pillow about files that end early, and stricter about damaged data: what libjpeg-turbo only warns of is an
/// error here, except a few bytes between segments, which cameras write and which cost no pixel.
enum JPEGDecoder {
  /// Decoding time is scans times pixels. Encoders write about 10 scans; optimisers some dozens.
  static let maximumScans = 100

  static func decode(_ bytes: [UInt8], limits: ImageLimits, neededSide: Int?) throws(ImageError) -> RGBImage {
    let structure = JPEGStructure(bytes)
    guard structure.width > 0, structure.height > 0 else {
      throw structure.ends ? .corrupt("no image in the file") : .truncated("the file ends within its header")
    }
    try limits.check(width: structure.width, height: structure.height)
    guard structure.scans <= maximumScans else {
      throw .unsupported("\(structure.scans) progressive scans, the limit is \(maximumScans)")
    }
    // In front of the decoder: what ended the walk early may have hidden scans from it.
    guard structure.ends else { throw .truncated("no end marker") }
    let shrink = shrinkFactor(width: structure.width, height: structure.height, neededSide: neededSide)
    let width = (structure.width + shrink - 1) / shrink
    let height = (structure.height + shrink - 1) / shrink
    let samples = try decode(
      bytes, structure, shrink: shrink, count: width * height * (structure.components == 4 ? 4 : 3))
    let pixels = structure.components == 4 ? rgb(inkPixels: samples) : samples
    let image = RGBImage(width: width, height: height, pixels: pixels)
    return (structure.orientation ?? .upright).apply(to: image)
  }

  /// 8, 4 or 2 where it divides both sides (otherwise the image would be stretched a little) and leaves the short side at
  /// least three times the needed one; else 1. Nearer to the needed side the coarser filter shows.
  private static func shrinkFactor(width: Int, height: Int, neededSide: Int?) -> Int {
    guard let neededSide, neededSide > 0 else { return 1 }
    let (needed, overflow) = neededSide.multipliedReportingOverflow(by: 3)
    if overflow { return 1 }
    return [8, 4, 2].first {
      width.isMultiple(of: $0) && height.isMultiple(of: $0) && min(width, height) / $0 >= needed
    } ?? 1
  }

  private static func decode(
    _ bytes: [UInt8], _ structure: JPEGStructure, shrink: Int, count size: Int
  ) throws(ImageError) -> [UInt8] {
    let frame = cjpeg_frame(
      width: UInt32(structure.width), height: UInt32(structure.height), components: UInt32(structure.components))
    var status = CJPEG_OK
    var reason = ""
    let samples = [UInt8](unsafeUninitializedCapacity: size) { out, count in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CJPEG_MESSAGE_SIZE)) { message in
        message.initialize(repeating: 0)
        status = bytes.withUnsafeBufferPointer { file in
          cjpeg_decode(
            file.baseAddress, file.count, frame, UInt32(shrink), UInt32(maximumScans), out.baseAddress,
            message.baseAddress)
        }
        if status != CJPEG_OK, let text = message.baseAddress { reason = String(cString: text) }
      }
      count = status == CJPEG_OK ? size : 0
    }
    switch status {
    case CJPEG_OK: return samples
    case CJPEG_TRUNCATED: throw .truncated(reason)
    case CJPEG_UNSUPPORTED: throw .unsupported(reason)
    case CJPEG_NO_MEMORY: throw .outOfMemory
    default: throw .corrupt(reason)
    }
  }

  /// Pillow's CMYK to RGB of samples that Adobe stores inverted (255 is no ink): each is `key - ink * key / 255`, rounded.
  private static func rgb(inkPixels samples: [UInt8]) -> [UInt8] {
    let count = samples.count / 4 * 3
    return [UInt8](unsafeUninitializedCapacity: count) { out, written in
      samples.withUnsafeBufferPointer { samples in
        for pixel in 0..<(samples.count / 4) {
          let key = Int(samples[4 * pixel + 3])
          for channel in 0..<3 {
            let ink = 255 - Int(samples[4 * pixel + channel])
            let product = ink * key + 128
            out[3 * pixel + channel] = UInt8(max(0, key - ((product >> 8) + product) >> 8))
          }
        }
      }
      written = count
    }
  }
}
