internal import CKernels
internal import Tensor

/// One image through an expert beside a frozen backbone, forward and backward (dense network expansion, Hu et al. 2023).
/// Only the expert is computed: what it reads of the image comes from `FrozenHeads`, what it reads of earlier experts from
/// their `ExpertSlices`, and nothing flows back into either.
///
/// The expert's slice starts as input(LN1(x)) of its first block's input and runs through its blocks; its feature is the
/// class token after the last block and the mean of the patches before it, each after a LayerNorm of its own.
///
/// One thread at a time. Results depend on what goes in and the instruction set alone.
package final class ExpertPass {
  package let shape: ExpertShape
  private let frozenShape: FrozenHeads.Shape
  private let activations: [ck_epilogue]
  private let isa: ck_isa
  private let keepsRecords: Bool
  /// What the last forward pass leaves for `slices`, `[rows, heads * width]` of every block.
  private var kept: [(mlpInput: Matrix<Float>, hidden: Matrix<Float>)] = []
  private var record: ExpertRecord?

  /// keepsRecords: whether a backward pass follows.
  package init(_ backbone: VisionTransformer, shape: ExpertShape, keepsRecords: Bool = false) {
    self.shape = shape
    self.keepsRecords = keepsRecords
    frozenShape = backbone.frozenHeadsShape(blocks: shape.blocks)
    activations = backbone.parts.blocks.suffix(shape.blocks).map(\.activation)
    isa = backbone.description.instructionSet.kernels
  }

  private func block(_ index: Int) -> ExpertBlock {
    ExpertBlock(heads: shape.heads, isLast: index == shape.blocks - 1, activation: activations[index], isa: isa)
  }

  /// The image's feature, `[shape.featureWidth]`, not of unit length: class token, then patches.
  ///
  /// earlier: the slices of all earlier experts, oldest first. `yield` is called after every new head of every task
  /// attention: every two milliseconds or sooner up to about forty heads.
  package func forward(
    _ parameters: ExpertParameters, _ heads: FrozenHeads, earlier: [ExpertSlices] = [], yield: () -> Void
  ) -> [Float] {
    precondition(parameters.shape == shape, "parameters of another expert")
    precondition(heads.shape == frozenShape, "heads of another backbone, or of other blocks")
    precondition(
      earlier.allSatisfy { $0.shape.blocks == shape.blocks && $0.shape.tokens == shape.tokens }
        && earlier.reduce(0) { $0 + $1.shape.heads } == shape.earlierHeads, "slices of the earlier experts")
    let input = old(
      [heads.input], rows: shape.tokens, columns: shape.width)
    var x = parameters.input.forward(input)
    yield()
    kept = []
    var saved: [ExpertBlock.Saved] = []
    var patches: (output: Matrix<Float>, saved: LayerNormalization.Saved<Float>)?
    for index in 0..<shape.blocks {
      let block = block(index)
      if block.isLast { patches = parameters.patchNorm.forward(x) }
      let result = block.forward(
        x, old: old(heads, earlier, block: index), parameters: parameters.blocks[index], yield: yield)
      x = result.output
      kept.append((result.saved.mlpInput, result.saved.hidden))
      if keepsRecords { saved.append(result.saved) }
    }
    let (classToken, classNorm) = parameters.classNorm.forward(x)
    guard let patches else { preconditionFailure("an expert has a last block") }
    record =
      keepsRecords
      ? ExpertRecord(
        parameters: parameters, input: input, blocks: saved, patchNorm: patches.saved, classNorm: classNorm) : nil
    let sums = patches.output.selectingRows(shape.tokens - shape.patches..<shape.tokens).columnSums()
    return classToken.storage + sums.map { $0 / Float(shape.patches) }
  }

  /// What later experts read of the image that went through last.
  package func slices() -> ExpertSlices {
    precondition(!kept.isEmpty, "slices follow a forward pass")
    let slices = ExpertSlices(shape: shape.slices)
    for (index, block) in kept.enumerated() {
      slices.freeze(block: index, mlpInput: block.mlpInput, hidden: block.hidden, isa: isa)
    }
    return slices
  }

  /// Adds the gradient of the parameters to `sums`, given that of the feature `forward` returned last.
  package func backward(_ gradient: [Float], adding sums: inout ExpertParameters, yield: () -> Void) {
    guard let record else { preconditionFailure("a pass that kept nothing has no way back") }
    precondition(gradient.count == shape.featureWidth && sums.shape == shape, "a gradient of this expert's feature")
    let parameters = record.parameters
    let width = shape.sliceWidth
    var dx = parameters.classNorm.backward(
      Matrix(rows: 1, columns: width, storage: Array(gradient.prefix(width))), saved: record.classNorm,
      adding: &sums.classNorm)
    for index in (0..<shape.blocks).reversed() {
      let block = block(index)
      dx = block.backward(
        dx, saved: record.blocks[index], parameters: parameters.blocks[index], adding: &sums.blocks[index],
        yield: yield)
      if block.isLast {
        let share = gradient.suffix(width).map { $0 / Float(shape.patches) }
        let zeros = [Float](repeating: 0, count: (shape.tokens - shape.patches) * width)
        let patches = zeros + (0..<shape.patches).flatMap { _ in share }
        dx.addRows(
          parameters.patchNorm.backward(
            Matrix(rows: shape.tokens, columns: width, storage: patches), saved: record.patchNorm,
            adding: &sums.patchNorm))
      }
    }
    sums.input.add(dx, input: record.input)
    yield()
  }

  // MARK: What is read

  /// What a block's task attentions read besides the expert's own heads: the backbone's, then every earlier expert's.
  private func old(_ heads: FrozenHeads, _ earlier: [ExpertSlices], block: Int) -> ExpertBlock.Old {
    ExpertBlock.Old(
      mlpInput: old(
        [heads.mlpInput(block)] + earlier.map { $0.mlpInput(block) }, rows: shape.rows(block),
        columns: shape.oldHeads * shape.headWidth),
      hidden: old(
        [heads.hidden(block)] + earlier.map { $0.hidden(block) }, rows: shape.rows(block),
        columns: shape.oldHeads * shape.hiddenWidth, firstColumns: shape.backboneHeads * shape.hiddenWidth))
  }

  /// Rows side by side as floats, `[rows, columns]`, the first part in the first `firstColumns` of them.
  private func old(
    _ parts: [QuantizedRows], rows: Int, columns: Int, firstColumns: Int? = nil
  ) -> Matrix<Float> {
    let storage = [Float](unsafeUninitializedCapacity: rows * columns) { out, count in
      guard let out = out.baseAddress else { return }
      // Where the heads do not divide the MLP, some columns belong to no number.
      if let firstColumns, firstColumns != parts[0].shape.width { out.initialize(repeating: 0, count: rows * columns) }
      var column = 0
      for (index, part) in parts.enumerated() {
        part.read(into: out + column, stride: columns, isa: isa)
        column += index == 0 ? firstColumns ?? part.shape.width : part.shape.width
      }
      count = rows * columns
    }
    return Matrix(rows: rows, columns: columns, storage: storage)
  }
}

/// What an image leaves for the way back.
struct ExpertRecord {
  let parameters: ExpertParameters
  let input: Matrix<Float>
  let blocks: [ExpertBlock.Saved]
  let patchNorm: LayerNormalization.Saved<Float>
  let classNorm: LayerNormalization.Saved<Float>
}
