import CLModels
import Testing

@Suite struct NearDuplicateFingerprintTests {
  private func photograph() throws -> RGBImage {
    try ImageDecoder.decode(GoldenImage.bytes("large.jpg"), limits: ImageLimits())
  }

  /// A drawing: black boxes (left, top, width, height) on white.
  private func drawing(_ boxes: [(Int, Int, Int, Int)]) -> RGBImage {
    var image = RGBImage(width: 100, height: 100, pixels: Array(repeating: 255, count: 30_000))
    for (left, top, width, height) in boxes {
      for y in top..<(top + height) {
        for x in left..<(left + width) {
          for channel in 0..<3 { image.pixels[(y * 100 + x) * 3 + channel] = 0 }
        }
      }
    }
    return image
  }

  @Test func findsResizedDarkenedAndSlightlyCroppedCopies() throws {
    let image = try photograph()
    let original = NearDuplicateFingerprint(of: image)
    let small = ImagePreprocessing(size: 200).crop(image)
    let smaller = NearDuplicateFingerprint(of: ImagePreprocessing(size: 97).crop(small))
    #expect(NearDuplicateFingerprint(of: small).isNearDuplicate(of: smaller))
    var dark = image
    dark.pixels = image.pixels.map { $0 / 2 }
    #expect(NearDuplicateFingerprint(of: dark).isNearDuplicate(of: original))
    let rows = image.pixels[(8 * 640 * 3)..<(471 * 640 * 3)]
    let cropped = RGBImage(width: 640, height: 463, pixels: Array(rows))
    #expect(NearDuplicateFingerprint(of: cropped).isNearDuplicate(of: original))
  }

  @Test func tellsDrawingsOnAPlainGroundApart() {
    let bar = NearDuplicateFingerprint(of: drawing([(45, 10, 6, 80)]))
    let shifted = NearDuplicateFingerprint(of: drawing([(58, 10, 6, 80)]))
    let crossed = NearDuplicateFingerprint(of: drawing([(45, 10, 6, 80), (20, 45, 60, 6)]))
    #expect(bar.isNearDuplicate(of: bar))
    #expect(!bar.isNearDuplicate(of: shifted))
    #expect(!bar.isNearDuplicate(of: crossed))
    // The hash alone does not tell these apart.
    #expect(bar.hash.distance(to: crossed.hash) <= NearDuplicateFingerprint.maximumDistance)
  }

  @Test func tellsPlainImagesByTheirBrightness() {
    let plain = (0..<2).map { shade in
      NearDuplicateFingerprint(
        of: RGBImage(width: 3, height: 2, pixels: Array(repeating: UInt8(shade * 90), count: 18)))
    }
    #expect(plain[0].isNearDuplicate(of: plain[0]))
    #expect(!plain[0].isNearDuplicate(of: plain[1]))
  }

  @Test func comesBackFromItsEncodedForm() throws {
    let fingerprint = NearDuplicateFingerprint(of: try photograph())
    let bytes = fingerprint.encoded()
    #expect(bytes.count == 265)
    #expect(NearDuplicateFingerprint(encoded: bytes) == fingerprint)
    #expect(NearDuplicateFingerprint(encoded: []) == nil)
    #expect(NearDuplicateFingerprint(encoded: bytes.dropLast()) == nil)
    #expect(NearDuplicateFingerprint(encoded: [2] + bytes.dropFirst()) == nil)
  }

  @Test func hashesTheFallOfBrightness() {
    // Brightness falls from left to right: every comparison holds. Rising: none.
    let ramp = (0..<90).map { UInt8(255 - 2 * $0) }
    let row = ramp.flatMap { [$0, $0, $0] }
    let falling = RGBImage(width: 90, height: 8, pixels: Array(repeating: row, count: 8).flatMap { $0 })
    let rising = RGBImage(
      width: 90, height: 8, pixels: Array(repeating: Array(row.reversed()), count: 8).flatMap { $0 })
    #expect(PerceptualHash(of: falling).bits == .max)
    #expect(PerceptualHash(of: rising).bits == 0)
    #expect(PerceptualHash(of: falling).distance(to: PerceptualHash(of: rising)) == 64)
  }
}
