/// How the stored rows and columns relate to the upright image: the EXIF orientation tag.
enum ImageOrientation: Int {
  case upright = 1
  case flippedHorizontally, rotated180, flippedVertically, transposed, rotated90Clockwise, transversed
  case rotated90CounterClockwise

  private var swapsSides: Bool { rawValue >= 5 }

  /// The upright image. O(pixels); the image itself when it is upright already.
  func apply(to image: RGBImage) -> RGBImage {
    if self == .upright { return image }
    let (width, height) = (image.width, image.height)
    let (outWidth, outHeight) = swapsSides ? (height, width) : (width, height)
    // The source index of output pixel (x, y) is origin + x * stepX + y * stepY.
    let last = width * height - 1
    let (origin, stepX, stepY): (Int, Int, Int) =
      switch self {
      case .upright: (0, 1, width)
      case .flippedHorizontally: (width - 1, -1, width)
      case .rotated180: (last, -1, -width)
      case .flippedVertically: (last - (width - 1), 1, -width)
      case .transposed: (0, width, 1)
      case .rotated90Clockwise: (last - (width - 1), -width, 1)
      case .transversed: (last, -width, -1)
      case .rotated90CounterClockwise: (width - 1, width, -1)
      }
    let pixels = [UInt8](unsafeUninitializedCapacity: image.pixels.count) { out, count in
      image.pixels.withUnsafeBufferPointer { source in
        var target = 0
        for y in 0..<outHeight {
          var from = (origin + y * stepY) * 3
          for _ in 0..<outWidth {
            out[target] = source[from]
            out[target + 1] = source[from + 1]
            out[target + 2] = source[from + 2]
            target += 3
            from += stepX * 3
          }
        }
      }
      count = image.pixels.count
    }
    return RGBImage(width: outWidth, height: outHeight, pixels: pixels)
  }
}

extension ImageOrientation {
  /// Reads the orientation tag (0x0112) of the first directory of an EXIF block, which starts with its TIFF header.
  /// Anything malformed, absent or out of 1...8 is nil.
  init?(exif: ArraySlice<UInt8>) {
    let base = exif.startIndex
    guard exif.count >= 8 else { return nil }
    let bigEndian: Bool
    switch (exif[base], exif[base + 1]) {
    case (0x4D, 0x4D): bigEndian = true
    case (0x49, 0x49): bigEndian = false
    default: return nil
    }
    func value(_ offset: Int, _ length: Int) -> Int? {
      guard offset >= 0, offset <= exif.count - length else { return nil }
      let bytes = exif[(base + offset)..<(base + offset + length)]
      return bigEndian
        ? bytes.reduce(0) { $0 << 8 | Int($1) } : bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard value(2, 2) == 42, let directory = value(4, 4), let entries = value(directory, 2) else { return nil }
    for entry in 0..<entries {
      let offset = directory + 2 + entry * 12
      guard let tag = value(offset, 2) else { return nil }
      guard tag == 0x0112 else { continue }
      let width =
        switch value(offset + 2, 2) {
        case 1: 1
        case 3: 2
        case 4: 4
        default: 0
        }
      guard width > 0, value(offset + 4, 4) == 1, let tagged = value(offset + 8, width) else { return nil }
      self.init(rawValue: tagged)
      return
    }
    return nil
  }

  /// Reads `tiff:Orientation` of an XMP packet, which Pillow falls back on.
  init?(xmp: ArraySlice<UInt8>) {
    let name = Array("tiff:Orientation".utf8)
    guard var index = xmp.firstRange(of: name)?.upperBound else { return nil }
    if xmp[index...].starts(with: Array("=\"".utf8)) {
      index += 2
    } else if xmp[index...].starts(with: Array(">".utf8)) {
      index += 1
    } else {
      return nil
    }
    guard index < xmp.endIndex, (0x30...0x39).contains(xmp[index]) else { return nil }
    self.init(rawValue: Int(xmp[index]) - 0x30)
  }
}
