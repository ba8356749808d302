import CTurboJPEG

/// JPEG through libjpeg-turbo: baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK; EXIF orientation applied.
///
/// As strict as Pillow about files that end early, and stricter about damaged data: what libjpeg-turbo only warns of is an
/// error here, except bytes between segments, which cameras write and which cost no pixel.
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
    let shrink = shrinkFactor(width: structure.width, height: structure.height, neededSide: neededSide)
    let width = (structure.width + shrink - 1) / shrink
    let height = (structure.height + shrink - 1) / shrink
    let pixels =
      structure.components == 4
      ? rgb(inkPixels: try decode(bytes, structure, width: width, height: height, format: TJPF_CMYK, samples: 4))
      : try decode(bytes, structure, width: width, height: height, format: TJPF_RGB, samples: 3)
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
    _ bytes: [UInt8], _ structure: JPEGStructure, width: Int, height: Int, format: TJPF, samples: Int
  ) throws(ImageError) -> [UInt8] {
    guard let handle = tjInitDecompress() else { throw .outOfMemory }
    defer { tjDestroy(handle) }
    // libjpeg-turbo fits the image into width x height and never writes outside; were the image smaller, part of the
    // buffer would stay unwritten, so its own reading of the header has to agree. (It sets both sides before it may
    // complain about an unusual subsampling, which decodes all the same.)
    var (ownWidth, ownHeight, subsampling, colorspace): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    _ = bytes.withUnsafeBufferPointer {
      tjDecompressHeader3(
        handle, $0.baseAddress, UInt($0.count), &ownWidth, &ownHeight, &subsampling, &colorspace)
    }
    guard ownWidth == 0 || (Int(ownWidth) == structure.width && Int(ownHeight) == structure.height) else {
      throw .corrupt("two headers disagree")
    }
    let flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
    let size = width * height * samples
    var failed = false
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { out, count in
      bytes.withUnsafeBufferPointer { file in
        let result = tjDecompress2(
          handle, file.baseAddress, UInt(file.count), out.baseAddress, Int32(width), Int32(width * samples),
          Int32(height), format.rawValue, flags)
        failed = result != 0
      }
      count = failed && tjGetErrorCode(handle) == Int32(bitPattern: TJERR_FATAL.rawValue) ? 0 : size
    }
    if failed {
      let message = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown fault"
      let fatal = tjGetErrorCode(handle) == Int32(bitPattern: TJERR_FATAL.rawValue)
      if let error = fault(message, fatal: fatal, structure) { throw error }
    }
    guard structure.ends else { throw .truncated("no end marker") }
    return pixels
  }

  /// What libjpeg-turbo's message means; nil for a warning that leaves every pixel as it was written.
  private static func fault(_ message: String, fatal: Bool, _ structure: JPEGStructure) -> ImageError? {
    if fatal {
      if message.contains("nsupported") || message.contains("not supported") { return .unsupported(message) }
      if message.contains("nsufficient memory") { return .outOfMemory }
      return structure.ends ? .corrupt(message) : .truncated(message)
    }
    if !structure.ends || message.contains("remature end") { return .truncated(message) }
    let harmless = ["extraneous bytes before marker", "Unknown Adobe color transform", "JFIF major revision"]
    return harmless.contains { message.contains($0) } ? nil : .corrupt(message)
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
