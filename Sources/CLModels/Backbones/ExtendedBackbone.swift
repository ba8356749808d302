internal import Tensor

/// A backbone with what tasks added to it, prompts or experts: one pass gives the backbone's own feature and one of every
/// source.
///
/// Immutable; any number of threads may embed at once.
package final class ExtendedBackbone: Sendable {
  private let backbone: VisionTransformer
  private let prompts: PromptedBackbone?
  private let experts: ExpertBackbone?

  package init(_ backbone: VisionTransformer, prompts: PromptBank?, experts: ExpertBank?) {
    self.backbone = backbone
    self.prompts = prompts.map { PromptedBackbone(backbone, layout: $0.layout, parameters: $0.parameters) }
    self.experts = experts.map { ExpertBackbone(backbone, bank: $0) }
  }

  package var readsPrompts: Bool { prompts != nil }
  package var readsExperts: Bool { experts != nil }

  /// The backbone's feature, one of every group of prompts, one of every expert; each of length 1.
  package func embed(_ image: RGBImage, yield: () -> Void) -> [[Float]] {
    let heads = experts.map { FrozenHeads(shape: backbone.frozenHeadsShape(blocks: $0.blocks)) }
    let row: [Float]
    if let prompts {
      row = prompts.embed([image], filling: heads.map { [$0] } ?? [], yield: yield).storage
    } else if let heads {
      row = backbone.embed(image, filling: heads, yield: yield)
    } else {
      row = backbone.embed([image], yield: yield).storage
    }
    let width = backbone.description.featureWidth
    let features = stride(from: 0, to: row.count, by: width).map { Array(row[$0..<$0 + width]) }
    guard let heads, let experts else { return features }
    return features + experts.features(heads, yield: yield)
  }
}
