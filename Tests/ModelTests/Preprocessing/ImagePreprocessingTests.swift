import CKernels
import CLModels
import Testing

@Suite struct ImagePreprocessingTests {
  @Test(arguments: GoldenImage.all.filter { !$0.crops.isEmpty })
  func cropsAsPillow(_ golden: GoldenImage) throws {
    let image = try ImageDecoder.decode(GoldenImage.bytes(golden.file), limits: ImageLimits())
    for crop in golden.crops {
      let expected = try ImageDecoder.decode(GoldenImage.bytes(crop.expected), limits: ImageLimits())
      #expect(digest(expected.pixels) == crop.digest)
      let ours = ImagePreprocessing(size: crop.size).crop(image)
      let (mean, largest) = difference(ours, expected)
      if largest > 0 { print("\(golden.file) at \(crop.size): mean \(mean)/255, largest \(largest)/255") }
      #expect(mean <= 1)
    }
  }
}
