import CLModels
import Testing

@Suite struct ImageDecoderTests {
  @Test(arguments: GoldenImage.all)
  func decodesAsPillow(_ golden: GoldenImage) throws {
    let image = try ImageDecoder.decode(GoldenImage.bytes(golden.file), limits: ImageLimits())
    #expect(image.width == golden.width && image.height == golden.height)
    guard let expected = golden.expected else {
      #expect(digest(image.pixels) == golden.digest)
      return
    }
    let reference = try ImageDecoder.decode(GoldenImage.bytes(expected), limits: ImageLimits())
    #expect(digest(reference.pixels) == golden.digest)
    let (mean, largest) = difference(image, reference)
    if largest > 0 { print("\(golden.file): mean difference \(mean)/255, largest \(largest)/255") }
    #expect(mean <= 1)
  }
}
