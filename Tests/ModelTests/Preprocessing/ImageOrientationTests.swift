import CLModels
import Testing

@Suite struct ImageOrientationTests {
  /// EXIF that is absent, malformed or out of range leaves the image as stored.
  @Test(arguments: [
    [], Array("MM".utf8), Array("XX\0\u{2A}\0\0\0\u{8}".utf8), Array("MM\0\u{2A}".utf8) + [0xFF, 0xFF, 0xFF, 0xFF],
    Array("MM\0\u{2A}\0\0\0\u{8}".utf8) + [0xFF, 0xFF, 1, 0x12],
    Array("MM\0\u{2A}\0\0\0\u{8}".utf8) + [0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0],
    Array("MM\0\u{2A}\0\0\0\u{8}".utf8) + [0, 1, 1, 0x12, 0, 3, 0, 0, 0, 2, 0, 6, 0, 0],
  ])
  func ignoresMalformedTags(_ exif: [UInt8]) throws {
    let bytes = GoldenImage.bytes("rgb444.jpg")
    let length = exif.count + 8
    let segment = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 0xFF)] + Array("Exif\0\0".utf8) + exif
    let tagged = Array(bytes[..<2]) + segment + Array(bytes[2...])
    let image = try ImageDecoder.decode(tagged, limits: ImageLimits())
    #expect(try image == ImageDecoder.decode(bytes, limits: ImageLimits()))
  }
}
