import CLModels
import Testing

@Suite struct ImagePreprocessingTests {
  @Test(arguments: GoldenImage.all.filter { !$0.crops.isEmpty })
  func cropsAsPillow(_ golden: GoldenImage) throws {
    let image = try ImageDecoder.decode(GoldenImage.bytes(golden.file), limits: ImageLimits())
    for crop in golden.crops {
      let expected = try ImageDecoder.decode(GoldenImage.bytes(crop.expected), limits: ImageLimits())
      #expect(digest(expected.pixels) == crop.digest)
      let (mean, largest) = difference(ImagePreprocessing(size: crop.size).crop(image), expected)
      #expect(largest == 0, "at \(crop.size): mean difference \(mean)/255, largest \(largest)/255")
    }
  }

  @Test(arguments: [(1, 20_000), (20_000, 1), (1, 1), (2, 3)])
  func cropsExtremeShapes(_ width: Int, _ height: Int) {
    let grey = RGBImage(width: width, height: height, pixels: Array(repeating: 77, count: width * height * 3))
    let cropped = ImagePreprocessing(size: 224).crop(grey)
    #expect(cropped == RGBImage(width: 224, height: 224, pixels: Array(repeating: 77, count: 224 * 224 * 3)))
  }

  @Test func normalizesToPlanes() {
    let image = RGBImage(width: 2, height: 1, pixels: [0, 51, 255, 102, 153, 204])
    let preprocessing = ImagePreprocessing(size: 1, mean: [0.5, 0.25, 0], standardDeviation: [0.5, 0.25, 2])
    let expected: [Float] = [-1, -0.2, -0.2, 1.4, 0.5, 0.4]
    for (value, wanted) in zip(preprocessing.normalize(image), expected) {
      #expect(abs(value - wanted) < 1e-6)
    }
    #expect(preprocessing.normalize(image).count == 6)
  }
}
