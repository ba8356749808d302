extension VisionTransformer {
  /// What `freezeHeads` makes of an image, for experts over the last `blocks` blocks.
  package func frozenHeadsShape(blocks: Int) -> FrozenHeads.Shape {
    precondition((1...description.blocks).contains(blocks), "experts over blocks there are")
    return FrozenHeads.Shape(
      blocks: blocks, tokens: description.tokens, width: description.width, mlpWidth: description.mlpWidth,
      featureWidth: description.featureWidth)
  }

  /// An image's feature, as `embed` gives it, and what experts over the last `blocks` blocks read of it. One thread;
  /// `yield` as in `embed`.
  package func freezeHeads(
    _ image: RGBImage, blocks: Int, yield: () -> Void
  ) -> (feature: [Float], heads: FrozenHeads) {
    let heads = FrozenHeads(shape: frozenHeadsShape(blocks: blocks))
    return (embed(image, filling: heads, yield: yield), heads)
  }

  /// The same into memory that is there: nobody else reads `heads` meanwhile.
  package func embed(_ image: RGBImage, filling heads: FrozenHeads, yield: () -> Void) -> [Float] {
    let feature = run(image, tap: tap(for: heads), yield: yield)
    heads.freeze(feature: feature, isa: description.instructionSet.kernels)
    return feature
  }

  /// What fills `heads` while an image runs through the blocks.
  func tap(for heads: FrozenHeads) -> BlockTap {
    precondition(heads.shape == frozenHeadsShape(blocks: heads.shape.blocks), "heads of another backbone")
    let first = description.blocks - heads.shape.blocks
    let isa = description.instructionSet.kernels
    return { block, product, rows in heads.freeze(block: block - first, product, rows, isa: isa) }
  }
}
