import CLModels
import Tensor

/// A tiny backbone, its pictures, and experts beside it.
struct ExpertCase {
  let backbone: VisionTransformer
  let pictures: [RGBImage]

  init(_ name: String = "clip", _ precision: BackbonePrecision = .int8) throws {
    let golden = try GoldenBackbone(name)
    backbone = try golden.load(precision)
    pictures = golden.cases[0].pictures
  }

  func frozen(_ blocks: Int) -> [FrozenHeads] { pictures.map { backbone.freezeHeads($0, blocks: blocks) {}.heads } }

  func expert(heads: Int, blocks: Int, earlier: [Expert] = [], seed: UInt64) -> Expert {
    Expert(backbone, heads: heads, blocks: blocks, earlier: earlier, seed: seed)
  }
}

/// An expert with parameters far enough from their start that every one of them matters. Those of even seeds correct the
/// backbone's feature, those of odd ones have one of their own.
struct Expert {
  let backbone: VisionTransformer
  let shape: ExpertShape
  let flat: [Float]

  init(_ backbone: VisionTransformer, heads: Int, blocks: Int, earlier: [Expert] = [], seed: UInt64) {
    self.backbone = backbone
    shape = ExpertShape(
      heads: heads, blocks: blocks, earlierHeads: earlier.reduce(0) { $0 + $1.shape.heads },
      feature: seed % 2 == 0 ? .correction : .own, backbone: backbone.description)
    var generator = SeededGenerator(seed: seed)
    flat = ExpertStart.parameters(shape, generator: &generator).map { $0 + 0.2 * Float(generator.nextGaussian()) }
  }

  func run(_ heads: FrozenHeads, earlier: [ExpertSlices] = []) -> (feature: [Float], slices: ExpertSlices) {
    let pass = ExpertPass(backbone, shape: shape)
    let feature = pass.forward(ExpertParameters(shape, flat), heads, earlier: earlier) {}
    return (feature, pass.slices())
  }
}

extension ExpertShape {
  /// Every range of parameters and what it is called.
  var namedRanges: [(name: String, range: Range<Int>)] {
    func norm(_ name: String, _ norm: ExpertRanges.Norm) -> [(String, Range<Int>)] {
      [(name + " gain", norm.gain), (name + " bias", norm.bias)]
    }
    func linear(_ name: String, _ linear: ExpertRanges.Linear) -> [(String, Range<Int>)] {
      [(name + " weights", linear.weights), (name + " bias", linear.bias)]
    }
    func mixing(_ name: String, _ mixing: ExpertRanges.Mixing) -> [(String, Range<Int>)] {
      [
        (name + " query", mixing.query), (name + " key", mixing.key), (name + " values", mixing.values),
        (name + " biases", mixing.biases), (name + " scale", mixing.scale),
      ]
    }
    let ranges = ranges
    var all = linear("input", ranges.input)
    for (index, block) in ranges.blocks.enumerated() {
      all += norm("\(index) norm1", block.norm1)
      all += [("\(index) query", block.query), ("\(index) key", block.key), ("\(index) value", block.value)]
      all += linear("\(index) output", block.attentionOutput) + norm("\(index) norm2", block.norm2)
      all += mixing("\(index) up", block.up) + mixing("\(index) down", block.down)
    }
    return all + norm("patches", ranges.patchNorm) + norm("class", ranges.classNorm)
      + (ranges.correction.map { linear("correction", $0) } ?? [])
  }
}
