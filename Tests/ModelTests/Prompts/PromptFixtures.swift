import CLModels
import Foundation
import Tensor

/// Groups of a layout: how many rows each has, and whether it reads the others.
func promptLayout(_ groups: [(rows: Int, readsTasks: Bool)], isDeep: Bool) -> PromptLayout {
  PromptLayout(groups: groups.map { .init(rows: $0.rows, readsTasks: $0.readsTasks) }, isDeep: isDeep)
}

/// One task's group and the global one.
let taskRow = (rows: 1, readsTasks: false)
let globalRow = (rows: 1, readsTasks: true)

/// Normal parameters of a layout: rows of about the size of a class token in front of the first block, smaller offsets.
func promptParameters(_ layout: PromptLayout, _ backbone: VisionTransformer, seed: UInt64) -> [Float] {
  let description = backbone.description
  return layout.groups.enumerated().flatMap { index, group -> [Float] in
    // A group's numbers do not depend on which groups there are besides.
    var generator = SeededGenerator(seed: seed &* 1000 &+ UInt64(index))
    let start = group.rows * description.width
    let count = PromptLayout.parameterCount(
      rows: group.rows, width: description.width, blocks: description.blocks, isDeep: layout.isDeep)
    return (0..<count).map { Float(generator.nextGaussian()) * ($0 < start ? 1 : 0.3) }
  }
}

func normal(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Float> {
  var generator = SeededGenerator(seed: seed)
  return Matrix(
    rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in Float(generator.nextGaussian()) })
}

/// The gradient of a sum of features, each times its weight, by a pass's own way back.
func promptGradient(
  _ backbone: VisionTransformer, _ layout: PromptLayout, _ parameters: [Float], frozen: [FrozenTokens],
  earlier: [FrozenTokens] = [], weights: Matrix<Float>
) throws -> [Float] {
  let back = try backbone.transposed()
  let pass = PromptPass(
    backbone, layout: layout, earlier: earlier.first?.shape.tokens ?? 0, capacity: frozen.count, back: back)
  _ = pass.forward(parameters, frozen: frozen, earlier: earlier) {}
  return pass.backward(weights, back: back, frozen: frozen, earlier: earlier) {}
}

/// The same by central differences of fourth order: with a step of a fiftieth, the curvature left and what float features
/// are off by both stay below a thousandth of a typical slope.
func promptDifferences(
  _ backbone: VisionTransformer, _ layout: PromptLayout, _ parameters: [Float], frozen: [FrozenTokens],
  earlier: [FrozenTokens] = [], weights: Matrix<Float>, step: Float = 0.02
) -> [Double] {
  let pass = PromptPass(
    backbone, layout: layout, earlier: earlier.first?.shape.tokens ?? 0, capacity: frozen.count)
  var moved = parameters
  func loss(_ index: Int, _ change: Float) -> Double {
    let original = moved[index]
    moved[index] = original + change
    defer { moved[index] = original }
    let features = pass.forward(moved, frozen: frozen, earlier: earlier) {}
    return zip(features.storage, weights.storage).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  return parameters.indices.map { index in
    let near = loss(index, step) - loss(index, -step)
    let far = loss(index, 2 * step) - loss(index, -2 * step)
    return (8 * near - far) / (12 * Double(step))
  }
}

/// The parts of a gradient: of each group its start, then its offsets block by block.
func promptSlices(_ layout: PromptLayout, _ backbone: VisionTransformer) -> [Range<Int>] {
  var slices: [Range<Int>] = []
  for group in layout.groups {
    let size = group.rows * backbone.description.width
    for _ in 0...(layout.isDeep ? backbone.description.blocks : 0) {
      let start = slices.last?.upperBound ?? 0
      slices.append(start..<start + size)
    }
  }
  return slices
}

/// Takes every step that is left; the losses of those that were taken.
@discardableResult
func finishTraining(_ training: SourceTraining) -> [Double] {
  var losses: [Double] = []
  while !training.isDone {
    if let report = training.step() { losses.append(report.loss) }
  }
  return losses
}

/// The length of the difference, as a part of the reference's length.
func relativeDistance(_ values: some Sequence<Float>, _ reference: some Sequence<Float>) -> Double {
  var difference = 0.0
  var length = 0.0
  for (a, b) in zip(values, reference) {
    difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
    length += Double(b) * Double(b)
  }
  return (difference / length).squareRoot()
}

/// Debian's photographs of tuxpaint-stamps-default, which `benchmarks backbone-fidelity` takes, or CLSERVER_IMAGES.
enum Photographs {
  static let directory = URL(
    filePath: ProcessInfo.processInfo.environment["CLSERVER_IMAGES"] ?? "/usr/share/tuxpaint/stamps")
  static let arePresent = FileManager.default.fileExists(atPath: directory.path)

  /// The first `count` that are no drawings, in the order of a fixed shuffle, cropped.
  static func load(_ count: Int, _ preprocessing: ImagePreprocessing) -> [RGBImage] {
    let files = (FileManager.default.enumerator(atPath: directory.path)?.allObjects ?? []).compactMap { $0 as? String }
      .filter { name in [".png", ".jpg", ".jpeg"].contains { name.lowercased().hasSuffix($0) } }
      .filter { name in !["cartoon", "symbols/", "seasonal/"].contains { name.contains($0) } }.sorted()
    var found: [RGBImage] = []
    for index in files.indices where found.count < count {
      let file = directory.appending(path: files[index * 7919 % files.count])  // 7919 is prime.
      guard let bytes = try? Data(contentsOf: file),
        let image = try? ImageDecoder.decode(Array(bytes), limits: ImageLimits()), min(image.width, image.height) >= 64
      else { continue }
      found.append(preprocessing.crop(image))
    }
    return found
  }
}
