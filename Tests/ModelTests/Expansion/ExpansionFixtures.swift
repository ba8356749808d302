import CLModels
import Foundation
import Tensor

enum ExpansionFixtures {
  /// Small enough for differences by every parameter: four patches, heads three wide.
  static func small(_ path: NetworkShape.CrossTaskPath, headWidth: Int = 3) -> NetworkShape {
    NetworkShape(
      channels: 1, side: 4, patch: 2, headWidth: headWidth, spatialBlocks: 1, expansionRatio: 2, path: path)
  }

  /// 32 pixels in colour, as the experiment's.
  static func usual(_ path: NetworkShape.CrossTaskPath) -> NetworkShape {
    NetworkShape(channels: 3, side: 32, patch: 8, path: path)
  }

  /// Normal numbers in the place of images.
  static func noise<Scalar: KernelScalar>(_ shape: NetworkShape, images: Int, seed: UInt64) -> Matrix<Scalar> {
    var generator = SeededGenerator(seed: seed)
    let count = images * shape.tokens * shape.patchInputs
    return Matrix(
      rows: images * shape.tokens, columns: shape.patchInputs,
      storage: (0..<count).map { _ in Scalar(generator.nextGaussian()) })
  }

  /// Images as the network takes them, each as it is and mirrored.
  static func patches(_ shape: NetworkShape, of images: [RGBImage]) -> Matrix<Float> {
    let preprocessing = ImagePreprocessing(size: shape.side)
    let pixels = images.map { preprocessing.normalize(preprocessing.crop($0)) }
    let mirrored = ImageShift(right: 0, down: 0, isFlipped: true)
    return shape.patches(
      of: pixels + pixels, shifts: pixels.map { _ in .none } + pixels.map { _ in mirrored })
  }

  /// Tasks of two classes, with random parameters everywhere: a start's zeros and ones would hide mistakes.
  static func network<Scalar: KernelScalar>(
    _ shape: NetworkShape, heads: [Int], seed: UInt64, deviation: Double = 0.3
  ) -> ExpandingNetwork<Scalar> {
    var generator = SeededGenerator(seed: seed)
    var network = ExpandingNetwork<Scalar>(shape)
    for k in heads {
      network.expand(heads: k, classes: 2, &generator)
      network.newest.numbers = network.newest.numbers.map { $0 + Scalar(deviation * generator.nextGaussian()) }
    }
    network.heads.parameters.numbers = network.heads.parameters.numbers.map {
      $0 + Scalar(deviation * generator.nextGaussian())
    }
    return network
  }

  /// A network that learns three more classes without growing, so that its teacher is another network; and two images.
  static func fineTuning(
    seed: UInt64
  ) -> (network: ExpandingNetwork<Double>, teacher: ExpandingNetwork<Double>, input: Matrix<Double>) {
    let shape = small(.dense)
    var network: ExpandingNetwork<Double> = Self.network(shape, heads: [2], seed: seed + 1)
    var generator = SeededGenerator(seed: seed + 2)
    network.expand(heads: 0, classes: 3, &generator)
    return (network, Self.network(shape, heads: [2], seed: seed), noise(shape, images: 2, seed: seed + 3))
  }

  /// Bright and dark images of one colour with noise: classes that any network tells apart.
  static func shades(_ shape: NetworkShape, classes: Range<Int>, each: Int, seed: UInt64) -> LabelledImages {
    var generator = SeededGenerator(seed: seed)
    var result = LabelledImages()
    for label in classes {
      for _ in 0..<each {
        // A bright quarter or stripe, by class.
        let image = (0..<shape.pixels).map { pixel in
          let bright = pixel % 4 == label || pixel / 4 == label - 4
          return Float((bright ? 2 : -0.5) + 0.3 * generator.nextGaussian())
        }
        result.append(LabelledImages(images: [image], labels: [label]))
      }
    }
    return result
  }
}
