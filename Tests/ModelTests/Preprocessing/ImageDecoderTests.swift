import CLModels
import Testing

@Suite struct ImageDecoderTests {
  private let limits = ImageLimits()

  /// Every golden file decodes to Pillow's very bytes; the issue allows a mean of 1/255.
  @Test(arguments: GoldenImage.all)
  func decodesAsPillow(_ golden: GoldenImage) throws {
    let image = try ImageDecoder.decode(GoldenImage.bytes(golden.file), limits: limits)
    #expect(image.width == golden.width && image.height == golden.height)
    if let expected = golden.expected {
      let reference = try ImageDecoder.decode(GoldenImage.bytes(expected), limits: limits)
      #expect(digest(reference.pixels) == golden.digest)
      let (mean, largest) = difference(image, reference)
      #expect(largest == 0, "mean difference \(mean)/255, largest \(largest)/255")
    } else {
      #expect(digest(image.pixels) == golden.digest)
    }
  }

  @Test func recognisesFormatsByTheirFirstBytes() {
    #expect(ImageDecoder.format(of: GoldenImage.bytes("grey.jpg")) == .jpeg)
    #expect(ImageDecoder.format(of: GoldenImage.bytes("rgb8.png")) == .png)
    #expect(ImageDecoder.format(of: GoldenImage.bytes("lossy.webp")) == .webp)
    for other in [[], [0xFF, 0xD8], Array("GIF89a".utf8), Array("RIFF\0\0\0\0WAVE".utf8)] {
      #expect(ImageDecoder.format(of: other) == nil)
      #expect(throws: ImageError.unknownFormat) { try ImageDecoder.decode(other, limits: limits) }
    }
  }

  @Test(arguments: ["rgb420.jpg", "rgb8.png", "lossy.webp", "lossless-alpha.webp"])
  func refusesImagesAboveTheLimits(_ file: String) throws {
    let bytes = GoldenImage.bytes(file)
    let image = try ImageDecoder.decode(bytes, limits: limits)
    let (side, pixels) = (max(image.width, image.height), image.width * image.height)
    #expect(try ImageDecoder.decode(bytes, limits: ImageLimits(maximumPixels: pixels, maximumSide: side)) == image)
    #expect(throws: ImageError.tooLongSide(side: side, limit: side - 1)) {
      try ImageDecoder.decode(bytes, limits: ImageLimits(maximumSide: side - 1))
    }
    #expect(throws: ImageError.tooManyPixels(pixels: pixels, limit: pixels - 1)) {
      try ImageDecoder.decode(bytes, limits: ImageLimits(maximumPixels: pixels - 1))
    }
  }

  @Test func refusesAHugeImageByItsHeaderAlone() {
    var png = GoldenImage.bytes("rgb8.png")
    png.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    let unlimited = ImageLimits(maximumPixels: .max, maximumSide: .max)
    #expect(throws: ImageError.tooLongSide(side: 0x7FFF_FFFF, limit: 1 << 20)) {
      try ImageDecoder.decode(png, limits: unlimited)
    }
    var jpeg = GoldenImage.bytes("grey.jpg")
    guard let frame = jpeg.firstRange(of: [0xFF, 0xC0])?.upperBound else { return }
    jpeg.replaceSubrange((frame + 3)..<(frame + 7), with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(throws: ImageError.tooLongSide(side: 65535, limit: 20_000)) {
      try ImageDecoder.decode(jpeg, limits: limits)
    }
  }

  @Test(arguments: ["rgb420.jpg", "progressive.jpg", "cmyk.jpg", "lossy.webp", "lossless.webp", "animated.webp"])
  func refusesEveryTruncation(_ file: String) {
    let bytes = GoldenImage.bytes(file)
    for length in 0..<bytes.count {
      #expect(throws: ImageError.self) { try ImageDecoder.decode(Array(bytes[..<length]), limits: limits) }
    }
  }

  /// As Pillow, a PNG is taken when only what follows its last pixel is missing.
  @Test(arguments: ["rgb8.png", "palette4-interlaced.png"])
  func refusesAPNGWithoutItsLastPixel(_ file: String) throws {
    let bytes = GoldenImage.bytes(file)
    let whole = try ImageDecoder.decode(bytes, limits: limits)
    for length in 0..<bytes.count {
      let image = try? ImageDecoder.decode(Array(bytes[..<length]), limits: limits)
      #expect(image == nil || (image == whole && length >= bytes.count - 24))
    }
  }

  @Test func tellsMissingPixelsFromHarmlessBytes() throws {
    let bytes = GoldenImage.bytes("rgb420.jpg")
    let whole = try ImageDecoder.decode(bytes, limits: limits)
    let junk = Array(bytes[..<2]) + [0xFF, 0xE2, 0, 4, 1, 2] + Array("junk".utf8) + Array(bytes[2...])
    #expect(try ImageDecoder.decode(junk, limits: limits) == whole)
    let cut = Array(bytes[..<(bytes.count - 200)]) + [0xFF, 0xD9]
    #expect {
      try ImageDecoder.decode(cut, limits: limits)
    } throws: {
      if case .truncated = $0 as? ImageError { return true }
      return false
    }
  }

  /// What libjpeg warns of first must not hide what it would warn of later.
  @Test func findsDamageBehindHarmlessBytes() throws {
    let bytes = GoldenImage.bytes("large.jpg")
    let whole = try ImageDecoder.decode(bytes, limits: limits)
    guard let tables = bytes.firstIndex(ofMarker: 0xDB), let scan = bytes.lastIndex(ofMarker: 0xDA) else { return }
    let stray = Array(bytes[..<tables]) + [0] + bytes[tables...]
    #expect(try ImageDecoder.decode(stray, limits: limits) == whole)
    #expect(throws: ImageError.truncated("Corrupt JPEG data: premature end of data segment")) {
      try ImageDecoder.decode(Array(stray[..<(scan + 800)]) + [0xFF, 0xD9], limits: limits)
    }
  }

  @Test func takesFillBytesInFrontOfTheEndButNotALeftOverScan() throws {
    let bytes = GoldenImage.bytes("large.jpg")
    let whole = try ImageDecoder.decode(bytes, limits: limits)
    for fill in [[0xFF, 0xFF], [0], [0, 0, 0]] as [[UInt8]] {
      #expect(try ImageDecoder.decode(bytes.dropLast(2) + fill + [0xFF, 0xD9], limits: limits) == whole)
    }
    guard let scan = bytes.lastIndex(ofMarker: 0xDA) else { return }
    // Empty blocks, of fewer bits than those they replace: the pixels end before the scan does.
    var damaged = bytes
    for index in 0..<600 { damaged[scan + 1000 + index] = [0x28, 0xA2, 0x8A, 0][index % 4] }
    #expect {
      try ImageDecoder.decode(damaged, limits: limits)
    } throws: {
      if case .corrupt(let reason) = $0 as? ImageError { return reason.contains("extraneous bytes") }
      return false
    }
  }

  /// A segment shorter than its own length ends the walk over markers, but not libjpeg's.
  @Test(arguments: [0, 1] as [UInt8])
  func refusesScansBehindABadSegmentUndecoded(length: UInt8) {
    let bytes = GoldenImage.bytes("progressive.jpg")
    guard let first = bytes.firstIndex(ofMarker: 0xDA), let last = bytes.lastIndex(ofMarker: 0xDA) else { return }
    let scans = Array(repeating: Array(bytes[last..<(bytes.count - 2)]), count: 600).joined()
    let bomb = bytes[..<first] + [0xFF, 0xFE, 0, length] + bytes[first..<last] + scans + [0xFF, 0xD9]
    #expect(throws: ImageError.truncated("no end marker")) { try ImageDecoder.decode(Array(bomb), limits: limits) }
  }

  @Test func refusesAPNGWithAWrongChecksum() {
    var bytes = GoldenImage.bytes("rgb8.png")
    bytes[bytes.count - 13] ^= 1
    #expect {
      try ImageDecoder.decode(bytes, limits: limits)
    } throws: {
      if case .corrupt = $0 as? ImageError { return true }
      return false
    }
  }

  @Test func refusesAJPEGOfTooManyScans() {
    let bytes = GoldenImage.bytes("progressive.jpg")
    guard let last = bytes.lastIndex(ofMarker: 0xDA) else { return }
    let scan = Array(bytes[last..<(bytes.count - 2)])
    let bomb = bytes[..<last] + Array(repeating: scan, count: 200).joined() + [0xFF, 0xD9]
    #expect {
      try ImageDecoder.decode(Array(bomb), limits: limits)
    } throws: {
      if case .unsupported = $0 as? ImageError { return true }
      return false
    }
  }

  @Test func shrinksALargeJPEGOnlyWhileItStaysThreeTimesTheNeededSide() throws {
    // 640 x 479 has an odd side; 64 x 64 divides by 8.
    let odd = try ImageDecoder.decode(GoldenImage.bytes("large.jpg"), limits: limits, neededSide: 16)
    #expect(odd.width == 640 && odd.height == 479)
    let square = GoldenImage.bytes("square64.jpg")
    for (needed, side) in [(2, 8), (3, 16), (5, 16), (6, 32), (10, 32), (11, 64), (64, 64), (0, 64), (.max, 64)] {
      #expect(try ImageDecoder.decode(square, limits: limits, neededSide: needed).width == side)
    }
    let full = ImagePreprocessing(size: 10).crop(try ImageDecoder.decode(square, limits: limits))
    let shrunk = try ImageDecoder.decode(square, limits: limits, neededSide: 10)
    #expect(difference(full, ImagePreprocessing(size: 10).crop(shrunk)).mean <= 1)
  }
}

extension [UInt8] {
  fileprivate func firstIndex(ofMarker code: UInt8) -> Int? {
    indices.dropLast().first { self[$0] == 0xFF && self[$0 + 1] == code }
  }

  fileprivate func lastIndex(ofMarker code: UInt8) -> Int? {
    indices.dropLast().last { self[$0] == 0xFF && self[$0 + 1] == code }
  }
}
