internal import CKernels

/// One pre-norm transformer block: `x += attention(norm1(x))`, then `x += mlp(norm2(x))`.
///
/// Layer scale is part of the weights of the two Linears that end the branches.
final class TransformerBlock: Sendable {
  /// How a block makes queries, keys and values.
  enum Projections: Sendable {
    /// One product for all three, `[3 * width, width]`: they read the same quantized rows.
    case all(Linear)
    /// In the last block only the class token goes on, and its output depends on the other tokens through their keys
    /// and values alone. So their queries, attention, output projection and MLP are never read, and leaving them out
    /// changes nothing: `10 / 12` of a block's weights' work (6.9 % of CLIP ViT-B/16's).
    case classToken(query: Linear, keysAndValues: Linear)
  }

  /// The products whose input others may read.
  enum Product: Sendable {
    /// Reads the LayerNorm of the tokens.
    case projections
    /// Reads the LayerNorm of what attention leaves.
    case mlpUp
    /// Reads the hidden, after the activation.
    case mlpDown
  }

  struct Parts {
    var norm1: LayerNorm
    var projections: Projections
    var attentionOutput: Linear
    var norm2: LayerNorm
    var mlpUp: Linear
    var mlpDown: Linear
    var activation: ck_epilogue
    var heads: Int
  }

  let norm1: LayerNorm
  let projections: Projections
  let attentionOutput: Linear
  let norm2: LayerNorm
  let mlpUp: Linear
  let mlpDown: Linear
  let activation: ck_epilogue
  private let heads: Int
  var width: Int { norm1.width }

  init(_ parts: Parts) {
    norm1 = parts.norm1
    projections = parts.projections
    attentionOutput = parts.attentionOutput
    norm2 = parts.norm2
    mlpUp = parts.mlpUp
    mlpDown = parts.mlpDown
    activation = parts.activation
    heads = parts.heads
  }

  var linears: [Linear] {
    switch projections {
    case .all(let linear): [linear, attentionOutput, mlpUp, mlpDown]
    case .classToken(let query, let keysAndValues): [query, keysAndValues, attentionOutput, mlpUp, mlpDown]
    }
  }

  /// Bytes of scratch for a pass over `images` images of `tokens` tokens.
  func scratchBytes(images: Int, tokens: Int) -> Int {
    max(
      productScratchBytes(rows: images * tokens),
      ck_attention_scratch(Int32(tokens), Int32(tokens), Int32(width / heads)))
  }

  /// Runs the block over the workspace's tokens, `[images * tokens, width]`, in place; the last block leaves its
  /// result, the class tokens, in the workspace's `classTokens` instead. Calls `yield` every two milliseconds or
  /// sooner, and `freeze` with every image's keys and values, `[tokens, stride]` each, and `tap` with the rows that a
  /// product reads: those of all tokens, in the last block after its keys and values of the class tokens.
  func run(
    images: Int, tokens: Int, workspace: Workspace, context: borrowing KernelContext,
    freeze: (_ image: Int, _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ stride: Int) -> Void,
    tap: (_ product: Product, _ rows: KernelRows) -> Void = { _, _ in }, yield: () -> Void
  ) {
    let rows = images * tokens
    let x = workspace.tokens.pointer
    let projected = workspace.projections.pointer
    let attended = workspace.attention.pointer
    let input = context.normalized(x, rows: rows, norm: norm1)
    tap(.projections, input)

    switch projections {
    case .all(let linear):
      let stride = 3 * width
      linear.apply(
        input, rows: rows, epilogue: CK_EPILOGUE_NONE, out: projected, stride: stride, context: context, yield: yield)
      for image in 0..<images {
        let query = projected + image * tokens * stride
        freeze(image, query + width, query + 2 * width, stride)
        attend(
          queries: tokens, tokens: tokens, query: query, queryStride: stride, key: query + width,
          value: query + 2 * width, stride: stride, out: attended + image * tokens * width, context: context)
        yield()
      }
      finish(x, rows: rows, workspace: workspace, context: context, tap: tap, yield: yield)

    case .classToken(let query, let keysAndValues):
      let stride = 2 * width
      keysAndValues.apply(
        input, rows: rows, epilogue: CK_EPILOGUE_NONE, out: projected, stride: stride, context: context, yield: yield)
      let classTokens = workspace.classTokens.pointer
      for image in 0..<images { (classTokens + image * width).update(from: x + image * tokens * width, count: width) }
      query.apply(
        context.normalized(classTokens, rows: images, norm: norm1), rows: images, epilogue: CK_EPILOGUE_NONE,
        out: workspace.queries.pointer, stride: width, context: context, yield: yield)
      for image in 0..<images {
        let key = projected + image * tokens * stride
        freeze(image, key, key + width, stride)
        attend(
          queries: 1, tokens: tokens, query: workspace.queries.pointer + image * width, queryStride: width, key: key,
          value: key + width, stride: stride, out: attended + image * width, context: context)
      }
      finish(classTokens, rows: images, workspace: workspace, context: context, tap: tap, yield: yield)
    }
  }

  private func attend(
    queries: Int, tokens: Int, query: UnsafePointer<Float>, queryStride: Int, key: UnsafePointer<Float>,
    value: UnsafePointer<Float>, stride: Int, out: UnsafeMutablePointer<Float>, context: borrowing KernelContext
  ) {
    // Rounding to bfloat16 is for what is quantized afterwards; the float path stays exact.
    let kernel = context.precision == .int8 ? ck_attention_rounded : ck_attention
    kernel(
      context.isa, Int32(queries), Int32(tokens), Int32(heads), Int32(width / heads), query, Int32(queryStride), key,
      value, Int32(stride), out, Int32(width), context.scratch)
  }

  /// What follows the heads: output projection and MLP, each added to x `[rows, width]`.
  private func finish(
    _ x: UnsafeMutablePointer<Float>, rows: Int, workspace: Workspace, context: borrowing KernelContext,
    tap: (_ product: Product, _ rows: KernelRows) -> Void, yield: () -> Void
  ) {
    let hidden = workspace.hidden.pointer
    attentionOutput.apply(
      context.rows(workspace.attention.pointer, rows: rows, width: width), rows: rows, epilogue: CK_EPILOGUE_RESIDUAL,
      out: x, stride: width, context: context, yield: yield)
    let normalized = context.normalized(x, rows: rows, norm: norm2)
    tap(.mlpUp, normalized)
    mlpUp.apply(
      normalized, rows: rows, epilogue: activation, out: hidden, stride: mlpUp.outputs, context: context, yield: yield)
    let activated = context.rows(hidden, rows: rows, width: mlpDown.inputs)
    tap(.mlpDown, activated)
    mlpDown.apply(
      activated, rows: rows, epilogue: CK_EPILOGUE_RESIDUAL, out: x, stride: width, context: context, yield: yield)
  }
}
