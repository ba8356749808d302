internal import CKernels

extension TransformerBlock {
  /// Bytes of scratch for products of `rows` rows.
  func productScratchBytes(rows: Int) -> Int { linears.map { $0.scratchBytes(rows: rows) }.max() ?? 0 }

  /// Prompt rows, the workspace's tokens `[rows, width]`, through the block in place; what is needed later is kept in
  /// `record`. `attend` turns the record's projections into what the heads say, `[rows, width]`.
  func forward(
    rows: Int, record: PromptRecord, workspace: Workspace, context: borrowing KernelContext,
    attend: (UnsafeMutablePointer<Float>) -> Void, yield: () -> Void
  ) {
    let x = workspace.tokens.pointer
    let hidden = workspace.hidden.pointer
    record.way?.input.pointer.update(from: x, count: rows * width)
    project(
      context.normalized(x, rows: rows, norm: norm1), rows: rows, out: record.projections.pointer, context: context,
      yield: yield)
    attend(workspace.attention.pointer)
    attentionOutput.apply(
      context.rows(workspace.attention.pointer, rows: rows, width: width), rows: rows, epilogue: CK_EPILOGUE_RESIDUAL,
      out: x, stride: width, context: context, yield: yield)
    record.way?.middle.pointer.update(from: x, count: rows * width)
    // The activation is not part of the product, as it is for an image's tokens, whether or not a way back needs what is
    // before it: the two round differently, and prompts answer with the features they were trained on.
    mlpUp.apply(
      context.normalized(x, rows: rows, norm: norm2), rows: rows, epilogue: CK_EPILOGUE_NONE, out: hidden,
      stride: mlpUp.outputs, context: context, yield: yield)
    record.way?.hidden.pointer.update(from: hidden, count: rows * mlpUp.outputs)
    ck_activation(context.isa, activation, rows * mlpUp.outputs, hidden)
    mlpDown.apply(
      context.rows(hidden, rows: rows, width: mlpDown.inputs), rows: rows, epilogue: CK_EPILOGUE_RESIDUAL, out: x,
      stride: width, context: context, yield: yield)
  }

  /// Query, key and value of every row, `[rows, 3 * width]`.
  private func project(
    _ input: KernelRows, rows: Int, out: UnsafeMutablePointer<Float>, context: borrowing KernelContext,
    yield: () -> Void
  ) {
    switch projections {
    case .all(let linear):
      linear.apply(
        input, rows: rows, epilogue: CK_EPILOGUE_NONE, out: out, stride: 3 * width, context: context, yield: yield)
    case .classToken(let query, let keysAndValues):
      query.apply(
        input, rows: rows, epilogue: CK_EPILOGUE_NONE, out: out, stride: 3 * width, context: context, yield: yield)
      keysAndValues.apply(
        input, rows: rows, epilogue: CK_EPILOGUE_NONE, out: out + width, stride: 3 * width, context: context,
        yield: yield)
    }
  }

  /// The gradient of what `forward` returned, in the workspace's tokens, becomes that of what it was given.
  /// passing: scratch, `[rows, width]`; scaled: `[rows, the widest Linear]`. `attend` turns the heads' gradient into that
  /// of the projections.
  func backward(
    rows: Int, back: TransposedBlock, way: PromptRecord.Way, passing: UnsafeMutablePointer<Float>,
    scaled: UnsafeMutablePointer<Float>, workspace: Workspace, context: borrowing KernelContext,
    attend: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void, yield: () -> Void
  ) {
    let dx = workspace.tokens.pointer
    let hidden = workspace.hidden.pointer
    let projected = workspace.projections.pointer

    // MLP: y = x + down(activation(up(norm2(x))))
    back.mlpDown.apply(dx, stride: width, rows: rows, dx: hidden, scaled: scaled, context: context, yield: yield)
    ck_activation_backward(context.isa, activation, rows * mlpUp.outputs, way.hidden.pointer, hidden)
    back.mlpUp.apply(
      hidden, stride: mlpUp.outputs, rows: rows, dx: passing, scaled: scaled, context: context, yield: yield)
    norm2.backward(way.middle.pointer, gradient: passing, rows: rows, dx: dx, isa: context.isa)

    // Attention: y = x + output(attend(projections(norm1(x))))
    back.attentionOutput.apply(
      dx, stride: width, rows: rows, dx: workspace.attention.pointer, scaled: scaled, context: context, yield: yield)
    attend(workspace.attention.pointer, projected)
    switch back.projections {
    case .all(let linear):
      linear.apply(
        projected, stride: 3 * width, rows: rows, dx: passing, scaled: scaled, context: context, yield: yield)
    case .classToken(let query, let keysAndValues):
      query.apply(
        projected, stride: 3 * width, rows: rows, dx: passing, scaled: scaled, context: context, yield: yield)
      keysAndValues.apply(
        projected + width, stride: 3 * width, rows: rows, dx: passing, adds: true, scaled: scaled, context: context,
        yield: yield)
    }
    norm1.backward(way.input.pointer, gradient: passing, rows: rows, dx: dx, isa: context.isa)
  }

  /// The way back through the block's products.
  func transposed() throws(BackboneError) -> TransposedBlock {
    let projections: TransposedBlock.Projections
    switch self.projections {
    case .all(let linear): projections = .all(try linear.transposed())
    case .classToken(let query, let keysAndValues):
      projections = .classToken(query: try query.transposed(), keysAndValues: try keysAndValues.transposed())
    }
    return TransposedBlock(
      projections: projections, attentionOutput: try attentionOutput.transposed(), mlpUp: try mlpUp.transposed(),
      mlpDown: try mlpDown.transposed())
  }
}

extension LayerNorm {
  /// dx += what comes back of the gradient, x and both `[rows, width]`.
  fileprivate func backward(
    _ x: UnsafePointer<Float>, gradient: UnsafePointer<Float>, rows: Int, dx: UnsafeMutablePointer<Float>, isa: ck_isa
  ) {
    ck_layer_norm_backward(isa, Int32(rows), Int32(width), x, gain.pointer, epsilon, gradient, dx)
  }
}

/// A block's products, transposed.
struct TransposedBlock: Sendable {
  enum Projections: Sendable {
    case all(TransposedLinear)
    case classToken(query: TransposedLinear, keysAndValues: TransposedLinear)
  }

  let projections: Projections
  let attentionOutput: TransposedLinear
  let mlpUp: TransposedLinear
  let mlpDown: TransposedLinear

  func scratchBytes(rows: Int) -> Int {
    let linears =
      switch projections {
      case .all(let linear): [linear, attentionOutput, mlpUp, mlpDown]
      case .classToken(let query, let keysAndValues): [query, keysAndValues, attentionOutput, mlpUp, mlpDown]
      }
    return linears.map { $0.scratchBytes(rows: rows) }.max() ?? 0
  }
}

/// A backbone's way back: all its products transposed, as much memory again as its blocks.
package final class TransposedBackbone: Sendable {
  let blocks: [TransposedBlock]
  let projection: TransposedLinear?

  init(_ parts: VisionTransformerParts) throws(BackboneError) {
    var blocks: [TransposedBlock] = []
    for block in parts.blocks { blocks.append(try block.transposed()) }
    self.blocks = blocks
    projection = try parts.projection?.transposed()
  }

  func scratchBytes(rows: Int) -> Int {
    (blocks.map { $0.scratchBytes(rows: rows) } + [projection?.scratchBytes(rows: rows) ?? 0]).max() ?? 0
  }
}
