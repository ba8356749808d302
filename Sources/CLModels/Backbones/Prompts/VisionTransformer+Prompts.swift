internal import CKernels
package import Tensor

extension VisionTransformer {
  /// What `freeze` makes of an image.
  package var frozenShape: FrozenTokens.Shape {
    FrozenTokens.Shape(
      blocks: description.blocks, tokens: description.tokens, heads: description.heads,
      headWidth: description.width / description.heads)
  }

  /// An image's feature, as `embed` gives it, and its tokens' keys and values of every block. One thread; `yield` as in
  /// `embed`.
  package func freeze(_ image: RGBImage, yield: () -> Void) -> (feature: [Float], tokens: FrozenTokens) {
    let tokens = FrozenTokens(shape: frozenShape)
    let feature = run(
      image,
      freeze: { block, keys, values, stride in
        tokens.freeze(
          block: block, keys: keys, values: values, stride: stride, isa: description.instructionSet.kernels)
      }, yield: yield)
    return (feature, tokens)
  }

  /// The class token in front of the first block, `[width]`, which no image changes: where a prompt starts that reads
  /// out the backbone's own feature.
  package var classTokenStart: [Float] {
    workspaces.withWorkspace { workspace in
      let context = workspace.context(isa: description.instructionSet.kernels, precision: description.precision)
      let side = description.resolution
      let black = RGBImage(width: side, height: side, pixels: Array(repeating: 0, count: side * side * 3))
      parts.embedPatches([black], workspace: workspace, context: context, yield: {})
      return Array(UnsafeBufferPointer(start: workspace.tokens.pointer, count: description.width))
    }
  }

  /// The way back through all products, as much memory again as the backbone.
  package func transposed() throws(BackboneError) -> TransposedBackbone { try TransposedBackbone(parts) }

  /// One image's feature, with calls on the way as in `VisionTransformerParts.run`.
  func run(
    _ image: RGBImage,
    freeze: (_ block: Int, _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ stride: Int) -> Void = {
      _, _, _, _ in
    },
    tap: BlockTap = { _, _, _ in }, after: (_ block: Int) -> Void = { _ in }, yield: () -> Void
  ) -> [Float] {
    var feature = [Float](repeating: 0, count: description.featureWidth)
    workspaces.withWorkspace { workspace in
      feature.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress else { return }
        parts.run(
          [image], workspace: workspace, out: out,
          freeze: { block, _, keys, values, stride in
            freeze(block, keys, values, stride)
          }, tap: tap, after: after, yield: yield)
      }
    }
    return feature
  }
}

/// A backbone with prompts: one pass gives the backbone's own feature and one of every group of prompts.
///
/// Immutable; any number of threads may embed at once.
package final class PromptedBackbone: Sendable {
  package let backbone: VisionTransformer
  package let layout: PromptLayout
  /// Of all groups in the layout's order, see `PromptLayout.parameterCount`.
  package let parameters: [Float]
  private let free = PassPool()

  package init(_ backbone: VisionTransformer, layout: PromptLayout, parameters: [Float]) {
    precondition(parameters.count == layout.parameterCount(backbone.description), "parameters of another layout")
    self.backbone = backbone
    self.layout = layout
    self.parameters = parameters
  }

  /// Numbers in a row of features: the backbone's, then every group's.
  package var featureWidth: Int { (1 + layout.groups.count) * backbone.description.featureWidth }

  /// `[images.count, featureWidth]`: the backbone's feature and one a group, each of length 1. The prompts go through
  /// every block right after the image's own tokens, while its weights are near. `heads`, one an image or none, are
  /// filled on the way with what experts read.
  package func embed(_ images: [RGBImage], filling heads: [FrozenHeads] = [], yield: () -> Void) -> Matrix<Float> {
    precondition(heads.isEmpty || heads.count == images.count, "heads for every image or for none")
    var storage: [Float] = []
    storage.reserveCapacity(images.count * featureWidth)
    let isa = backbone.description.instructionSet.kernels
    free.withPass(of: self) { pass, tokens in
      for (index, image) in images.enumerated() {
        pass.begin(parameters, images: 1)
        let feature = backbone.run(
          image,
          freeze: { _, keys, values, stride in
            tokens.freeze(block: 0, keys: keys, values: values, stride: stride, isa: isa)
          },
          tap: heads.isEmpty ? { _, _, _ in } : backbone.tap(for: heads[index]),
          after: { block in
            pass.advance(block, parameters: parameters, frozen: [tokens.kernel(0)], earlier: [], yield: yield)
          }, yield: yield)
        if !heads.isEmpty { heads[index].freeze(feature: feature, isa: isa) }
        storage += feature
        storage += pass.finish(yield: yield).rowsOfUnitLength().storage
      }
    }
    return Matrix(rows: images.count, columns: featureWidth, storage: storage)
  }

  /// The groups' features of images whose tokens are at hand, `[frozen.count, groups * featureWidth of the backbone]`:
  /// the same numbers as in `embed`.
  package func promptFeatures(_ frozen: [FrozenTokens], yield: () -> Void) -> Matrix<Float> {
    var storage: [Float] = []
    free.withPass(of: self) { pass, _ in
      for tokens in frozen {
        storage += pass.forward(parameters, frozen: [tokens], yield: yield).rowsOfUnitLength().storage
      }
    }
    return Matrix(
      rows: frozen.count, columns: layout.groups.count * backbone.description.featureWidth, storage: storage)
  }

  /// Keys and values of all rows of one image, as tokens for later prompts to read.
  package func frozenRows(_ frozen: [FrozenTokens], yield: () -> Void) -> [FrozenTokens] {
    let pass = PromptPass(backbone.parts, layout: layout, earlier: 0, capacity: 1, keepsRecords: true)
    return frozen.map { tokens in
      _ = pass.forward(parameters, frozen: [tokens], yield: yield)
      return pass.frozenRows(of: 0)
    }
  }
}
