internal import CKernels
package import Tensor

/// Prompt rows of a few images through a frozen backbone, forward and backward. Only they are computed: what they read of
/// the image comes from `FrozenTokens`.
///
/// Memory for all it keeps is taken once and used from call to call; one thread at a time.
package final class PromptPass {
  package let layout: PromptLayout
  private let parts: VisionTransformerParts
  /// The most images of a pass.
  let capacity: Int
  /// One a block when a backward pass follows, else one for all.
  private let records: [PromptRecord]
  private let workspace: Workspace
  /// `[rows, width]`: what comes out of the last block.
  private let last: AlignedBuffer<Float>
  /// `[rows, width]` and `[rows, widest]`: gradients on their way.
  private let passing: AlignedBuffer<Float>
  private let scaled: AlignedBuffer<Float>
  /// `[images * groups, width]`.
  private let means: AlignedBuffer<Float>
  private let weightGradient: AlignedBuffer<Float>
  private let first: AlignedBuffer<Int32>
  private let end: AlignedBuffer<Int32>
  private let readsEarlier: AlignedBuffer<UInt8>
  private var images = 0

  private var description: BackboneDescription { parts.description }
  private var width: Int { description.width }
  private var groups: Int { layout.groups.count }
  private var rows: Int { images * layout.rows }

  /// - Parameters:
  ///   - earlier: how many frozen rows of earlier tasks there are at most.
  ///   - back: the backbone's way back, when gradients are wanted.
  init(
    _ parts: VisionTransformerParts, layout: PromptLayout, earlier: Int, capacity: Int, back: TransposedBackbone? = nil,
    keepsRecords: Bool = false
  ) {
    self.parts = parts
    self.layout = layout
    self.capacity = capacity
    let description = parts.description
    let rows = capacity * layout.rows
    let stride = Int(
      ck_prompt_weights_stride(Int32(description.tokens), Int32(earlier), Int32(layout.rows)))
    // On the way back the projection's outputs come in.
    let widest = max(3 * description.width, description.mlpWidth, description.featureWidth)
    let products =
      parts.blocks.map { $0.productScratchBytes(rows: rows) } + [parts.projection?.scratchBytes(rows: rows) ?? 0]
      + (back.map { [$0.scratchBytes(rows: rows)] } ?? [])
    let size = WorkspaceSize(
      rows: rows, images: capacity * layout.groups.count, width: description.width, mlpWidth: description.mlpWidth,
      inputWidth: widest, scratchBytes: products.max() ?? 0)
    func memory(_ count: Int) -> AlignedBuffer<Float> {
      guard let buffer = AlignedBuffer<Float>(count: count) else { fatalError("no memory for prompts") }
      return buffer
    }
    guard let workspace = Workspace(size, precision: description.precision),
      let first = AlignedBuffer(layout.ranges.indices.flatMap { layout.firstRead($0) }),
      let end = AlignedBuffer(layout.ranges.flatMap { range in range.map { _ in Int32(range.upperBound) } }),
      let readsEarlier = AlignedBuffer(
        layout.groups.flatMap { group in
          [UInt8](repeating: group.readsTasks ? 1 : 0, count: group.rows)
        })
    else { fatalError("no memory for prompts") }
    self.workspace = workspace
    self.first = first
    self.end = end
    self.readsEarlier = readsEarlier
    records = (0..<(back != nil || keepsRecords ? description.blocks : 1)).map { _ in
      PromptRecord(
        projections: memory(rows * 3 * description.width), weights: memory(rows * description.heads * stride),
        way: back == nil
          ? nil
          : .init(
            input: memory(rows * description.width), middle: memory(rows * description.width),
            hidden: memory(rows * description.mlpWidth)))
    }
    last = memory(back == nil ? 0 : rows * description.width)
    passing = memory(back == nil ? 0 : rows * description.width)
    scaled = memory(back == nil ? 0 : rows * widest)
    means = memory(capacity * layout.groups.count * description.width)
    weightGradient = memory(stride)
  }

  /// As the other, with a backbone's parts.
  package convenience init(
    _ backbone: VisionTransformer, layout: PromptLayout, earlier: Int = 0, capacity: Int,
    back: TransposedBackbone? = nil, keepsRecords: Bool = false
  ) {
    self.init(
      backbone.parts, layout: layout, earlier: earlier, capacity: capacity, back: back, keepsRecords: keepsRecords)
  }

  private var hasWayBack: Bool { records[0].way != nil }

  private func record(_ block: Int) -> PromptRecord { records[records.count == 1 ? 0 : block] }

  private func context() -> KernelContext {
    workspace.context(isa: description.instructionSet.kernels, precision: description.precision)
  }

  // MARK: Forward

  /// Features of every group of every image, `[images * groups, featureWidth]`, image after image, not yet of length 1.
  ///
  /// - Parameters:
  ///   - parameters: of all groups in the layout's order.
  ///   - earlier: the frozen rows of earlier tasks, one an image, or none.
  package func forward(
    _ parameters: [Float], frozen: [FrozenTokens], earlier: [FrozenTokens] = [], yield: () -> Void
  ) -> Matrix<Float> {
    begin(parameters, images: frozen.count)
    for block in 0..<description.blocks {
      advance(
        block, parameters: parameters, frozen: frozen.map { $0.kernel(block) },
        earlier: earlier.map { $0.kernel(block) },
        yield: yield)
    }
    return finish(yield: yield)
  }

  /// Puts the rows in front of the first block.
  func begin(_ parameters: [Float], images: Int) {
    precondition(images <= capacity, "more images than there is memory for")
    precondition(parameters.count == layout.parameterCount(description), "parameters of another layout")
    self.images = images
    forEachGroup { range, start in
      for image in 0..<images {
        let row = workspace.tokens.pointer + (image * layout.rows + range.lowerBound) * width
        parameters.withUnsafeBufferPointer {
          guard let base = $0.baseAddress else { return }
          row.update(from: base + start, count: range.count * width)
        }
      }
    }
  }

  /// Takes the rows through one block, with the block's frozen tokens of every image.
  func advance(
    _ block: Int, parameters: [Float], frozen: [ck_frozen_tokens], earlier: [ck_frozen_tokens], yield: () -> Void
  ) {
    if layout.isDeep { addOffsets(of: block, parameters) }
    let record = record(block)
    parts.blocks[block].forward(
      rows: rows, record: record, workspace: workspace, context: context(),
      attend: { out in
        for image in 0..<images {
          withRows(image, frozen, earlier) { shape in
            ck_prompt_attention(
              description.instructionSet.kernels, shape,
              record.projections.pointer + image * layout.rows * 3 * width,
              record.weights.pointer + image * weightCount(shape), out + image * layout.rows * width)
          }
          yield()
        }
      }, yield: yield)
  }

  /// From what came out of the last block to features.
  func finish(yield: () -> Void) -> Matrix<Float> {
    let context = context()
    if hasWayBack { last.pointer.update(from: workspace.tokens.pointer, count: rows * width) }
    let x = workspace.tokens.pointer
    parts.finalNorm.apply(x, rows: rows, isa: context.isa)
    for image in 0..<images {
      for (group, range) in layout.ranges.enumerated() {
        let mean = means.pointer + (image * groups + group) * width
        let share = 1 / Float(range.count)
        mean.update(from: x + (image * layout.rows + range.lowerBound) * width, count: width)
        for row in range.dropFirst() {
          let source = x + (image * layout.rows + row) * width
          for column in 0..<width { mean[column] += source[column] }
        }
        for column in 0..<width { mean[column] *= share }
      }
    }
    let count = images * groups
    var features = Matrix<Float>(rows: count, columns: description.featureWidth)
    features.storage.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      if let projection = parts.projection {
        projection.apply(
          context.rows(means.pointer, rows: count, width: width), rows: count, epilogue: CK_EPILOGUE_NONE, out: out,
          stride: description.featureWidth, context: context, yield: yield)
      } else {
        out.update(from: means.pointer, count: count * width)
      }
    }
    return features
  }

  /// The keys and values that an image's rows had, as tokens to be read by others. After `forward` with records of all
  /// blocks.
  package func frozenRows(of image: Int) -> FrozenTokens {
    precondition(records.count == description.blocks, "the rows of all blocks were not kept")
    let tokens = FrozenTokens(
      shape: FrozenTokens.Shape(
        blocks: description.blocks, tokens: layout.rows, heads: description.heads,
        headWidth: width / description.heads))
    for (block, record) in records.enumerated() {
      let base = record.projections.pointer + image * layout.rows * 3 * width
      tokens.freeze(
        block: block, keys: base + width, values: base + 2 * width, stride: 3 * width,
        isa: description.instructionSet.kernels)
    }
    return tokens
  }

  // MARK: Backward

  /// From the gradient of the features that `forward` returned to that of the parameters.
  package func backward(
    _ gradient: Matrix<Float>, back: TransposedBackbone, frozen: [FrozenTokens], earlier: [FrozenTokens] = [],
    yield: () -> Void
  ) -> [Float] {
    precondition(hasWayBack, "a pass that kept nothing has no way back")
    let context = context()
    var result = [Float](repeating: 0, count: layout.parameterCount(description))
    let dx = workspace.tokens.pointer
    spread(gradient, back: back, context: context, yield: yield)
    for block in (0..<description.blocks).reversed() {
      let record = records[block]
      guard let way = record.way else { continue }
      parts.blocks[block].backward(
        rows: rows, back: back.blocks[block], way: way, passing: passing.pointer, scaled: scaled.pointer,
        workspace: workspace, context: context,
        attend: { gradient, out in
          for image in 0..<images {
            withRows(image, frozen.map { $0.kernel(block) }, earlier.map { $0.kernel(block) }) { shape in
              ck_prompt_attention_backward(
                description.instructionSet.kernels, shape,
                record.projections.pointer + image * layout.rows * 3 * width,
                record.weights.pointer + image * weightCount(shape), gradient + image * layout.rows * width,
                out + image * layout.rows * 3 * width, weightGradient.pointer)
            }
            yield()
          }
        }, yield: yield)
      if layout.isDeep { collect(dx, into: &result, block: block) }
    }
    collect(dx, into: &result, block: nil)
    return result
  }

  /// From the features' gradient to that of the last block's rows, in the workspace's tokens.
  private func spread(
    _ gradient: Matrix<Float>, back: TransposedBackbone, context: borrowing KernelContext, yield: () -> Void
  ) {
    let count = images * groups
    let dx = workspace.tokens.pointer
    gradient.storage.withUnsafeBufferPointer { dy in
      guard let dy = dy.baseAddress else { return }
      if let projection = back.projection {
        projection.apply(
          dy, stride: gradient.columns, rows: count, dx: means.pointer, scaled: scaled.pointer, context: context,
          yield: yield)
      } else {
        means.pointer.update(from: dy, count: count * width)
      }
    }
    for image in 0..<images {
      for (group, range) in layout.ranges.enumerated() {
        let mean = means.pointer + (image * groups + group) * width
        let share = 1 / Float(range.count)
        for row in range {
          let target = passing.pointer + (image * layout.rows + row) * width
          for column in 0..<width { target[column] = mean[column] * share }
        }
      }
    }
    dx.update(repeating: 0, count: rows * width)
    ck_layer_norm_backward(
      context.isa, Int32(rows), Int32(width), last.pointer, parts.finalNorm.gain.pointer, parts.finalNorm.epsilon,
      passing.pointer, dx)
  }

  /// Adds the rows' gradients, summed over images, to those of the offsets before a block, or of the start.
  private func collect(_ dx: UnsafePointer<Float>, into result: inout [Float], block: Int?) {
    result.withUnsafeMutableBufferPointer { result in
      guard let result = result.baseAddress else { return }
      forEachGroup { range, start in
        let target = result + start + (block.map { 1 + $0 } ?? 0) * range.count * width
        for image in 0..<images {
          let source = dx + (image * layout.rows + range.lowerBound) * width
          for index in 0..<range.count * width { target[index] += source[index] }
        }
      }
    }
  }

  // MARK: Rows

  private func addOffsets(of block: Int, _ parameters: [Float]) {
    let x = workspace.tokens.pointer
    parameters.withUnsafeBufferPointer { parameters in
      guard let parameters = parameters.baseAddress else { return }
      forEachGroup { range, start in
        let offsets = parameters + start + (1 + block) * range.count * width
        for image in 0..<images {
          let row = x + (image * layout.rows + range.lowerBound) * width
          for index in 0..<range.count * width { row[index] += offsets[index] }
        }
      }
    }
  }

  /// Calls with every group's rows and where its parameters begin.
  private func forEachGroup(_ body: (_ rows: Range<Int>, _ start: Int) -> Void) {
    var start = 0
    for range in layout.ranges {
      body(range, start)
      start += PromptLayout.parameterCount(
        rows: range.count, width: width, blocks: description.blocks, isDeep: layout.isDeep)
    }
  }

  private func weightCount(_ shape: UnsafePointer<ck_prompt_rows>) -> Int {
    let stride = ck_prompt_weights_stride(
      shape.pointee.frozen.pointee.tokens, shape.pointee.earlier.pointee.tokens, shape.pointee.rows)
    return layout.rows * description.heads * Int(stride)
  }

  /// An image's rows as the kernels take them.
  private func withRows(
    _ image: Int, _ frozen: [ck_frozen_tokens], _ earlier: [ck_frozen_tokens],
    _ body: (UnsafePointer<ck_prompt_rows>) -> Void
  ) {
    let none = ck_frozen_tokens(tokens: 0, keys: nil, key_scales: nil, values: nil, value_scales: nil)
    withUnsafePointer(to: frozen[image]) { frozen in
      withUnsafePointer(to: earlier.isEmpty ? none : earlier[image]) { earlier in
        var shape = ck_prompt_rows(
          rows: Int32(layout.rows), heads: Int32(description.heads), head_width: Int32(width / description.heads),
          frozen: frozen, earlier: earlier, first: first.pointer, last: end.pointer,
          reads_earlier: readsEarlier.pointer)
        body(&shape)
      }
    }
  }
}

/// What a block's forward pass leaves.
struct PromptRecord {
  /// What nothing but the backward pass reads.
  struct Way {
    /// `[rows, width]`: what went into the block.
    let input: AlignedBuffer<Float>
    /// `[rows, width]`: between attention and MLP.
    let middle: AlignedBuffer<Float>
    /// `[rows, mlpWidth]`: before the activation.
    let hidden: AlignedBuffer<Float>
  }

  /// `[rows, 3 * width]`: query, key and value.
  let projections: AlignedBuffer<Float>
  /// `[rows][heads][stride]`: attention weights.
  let weights: AlignedBuffer<Float>
  /// Nil when no backward pass follows.
  let way: Way?
}

extension PromptLayout {
  /// Numbers of all groups, for a backbone.
  package func parameterCount(_ description: BackboneDescription) -> Int {
    groups.reduce(0) {
      $0
        + Self.parameterCount(
          rows: $1.rows, width: description.width, blocks: description.blocks, isDeep: isDeep)
    }
  }

  /// The first row that each row of a group reads.
  fileprivate func firstRead(_ group: Int) -> [Int32] {
    let range = ranges[group]
    return [Int32](repeating: groups[group].readsTasks ? 0 : Int32(range.lowerBound), count: range.count)
  }
}
