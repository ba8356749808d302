internal import CKernels

/// Called with rows that a product of a block is about to read.
typealias BlockTap = (_ block: Int, _ product: TransformerBlock.Product, _ rows: KernelRows) -> Void

extension VisionTransformerParts {
  func workspaceSize(images: Int) -> WorkspaceSize {
    let rows = images * description.tokens
    let scratch =
      blocks.map { $0.scratchBytes(images: images, tokens: description.tokens) }
      + [patches.scratchBytes(), projection?.scratchBytes(rows: images) ?? 0]
    return WorkspaceSize(
      rows: rows, images: images, width: description.width, mlpWidth: description.mlpWidth,
      inputWidth: max(description.mlpWidth, description.width, patches.patchStride),
      scratchBytes: scratch.max() ?? 0)
  }

  /// Features of a few images, out: `[images.count, featureWidth]`. `freeze` is called in every block with every
  /// image's keys and values, `[tokens, stride]` each, `tap` with what its products read, and `after` when the block is
  /// done.
  func run(
    _ images: ArraySlice<RGBImage>, workspace: Workspace, out: UnsafeMutablePointer<Float>,
    freeze: (
      _ block: Int, _ image: Int, _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ stride: Int
    ) -> Void = { _, _, _, _, _ in }, tap: BlockTap = { _, _, _ in }, after: (_ block: Int) -> Void = { _ in },
    yield: () -> Void
  ) {
    let context = workspace.context(isa: description.instructionSet.kernels, precision: description.precision)
    embedPatches(images, workspace: workspace, context: context, yield: yield)
    for (index, block) in blocks.enumerated() {
      block.run(
        images: images.count, tokens: description.tokens, workspace: workspace, context: context,
        freeze: { freeze(index, $0, $1, $2, $3) }, tap: { tap(index, $0, $1) }, yield: yield)
      after(index)
    }
    project(images: images.count, workspace: workspace, context: context, out: out, yield: yield)
  }

  /// Fills the workspace's tokens.
  func embedPatches(
    _ images: ArraySlice<RGBImage>, workspace: Workspace, context: borrowing KernelContext, yield: () -> Void
  ) {
    let stride = description.tokens * description.width
    for (position, image) in images.enumerated() {
      precondition(
        image.width == description.resolution && image.height == description.resolution,
        "an image that was not cropped to the backbone's resolution")
      patches.embed(image, out: workspace.tokens.pointer + position * stride, context: context, yield: yield)
    }
    preNorm?.apply(workspace.tokens.pointer, rows: images.count * description.tokens, isa: context.isa)
  }

  /// From the class tokens to features: LayerNorm, projection, length 1.
  private func project(
    images: Int, workspace: Workspace, context: borrowing KernelContext, out: UnsafeMutablePointer<Float>,
    yield: () -> Void
  ) {
    let classTokens = workspace.classTokens.pointer
    let width = description.featureWidth
    if let projection {
      projection.apply(
        context.normalized(classTokens, rows: images, norm: finalNorm), rows: images, epilogue: CK_EPILOGUE_NONE,
        out: out, stride: width, context: context, yield: yield)
    } else {
      finalNorm.apply(classTokens, rows: images, isa: context.isa)
      out.update(from: classTokens, count: images * width)
    }
    for image in 0..<images {
      let feature = out + image * width
      // In double precision no square of a finite number overflows or vanishes.
      var squares = 0.0
      for index in 0..<width { squares += Double(feature[index]) * Double(feature[index]) }
      // A feature of zeros has no direction and stays as it is.
      guard squares > 0 else { continue }
      let factor = 1 / squares.squareRoot()
      for index in 0..<width { feature[index] = Float(Double(feature[index]) * factor) }
    }
  }
}
