internal import CKernels
package import Tensor

/// A few images through an expert beside a frozen backbone, forward and backward (dense network expansion, Hu et al.
/// 2023). Only the expert is computed: what it reads of the images comes from `FrozenHeads`, what it reads of earlier
/// experts from their `ExpertSlices`, and nothing flows back into either.
///
/// The expert's slice starts as input(LN1(x)) of its first block's input and runs through its blocks. What it says of
/// the image, its summary s, is the class token after the last block and the mean of the patches before it, each after
/// a LayerNorm of its own. Its feature is s, or with f the backbone's feature, of length 1 and n numbers,
///
///     sqrt(n) f + correction(3.5 s).
///
/// The factors bring f's numbers to a size of 1, and let some tens of steps at usual rates change the direction of the
/// sum: with .1 instead of 3.5 forty steps did nothing, with 1 half as much (`benchmarks experts`).
///
/// One thread at a time. Results depend on what goes in and the instruction set alone. An image's slices and features
/// do not depend on its company but for the last bits of its class token and of a correction: products of up to three
/// rows are added up in another order than those of more.
package final class ExpertPass {
  package let shape: ExpertShape
  private let frozenShape: FrozenHeads.Shape
  private let activations: [ck_epilogue]
  private let isa: ck_isa
  /// What the last forward pass leaves for `slices`, `[rows, heads * width]` of every block.
  private var kept: [(mlpInput: Matrix<Float>, hidden: Matrix<Float>)] = []
  private var record: ExpertRecord?

  /// As many images as go through together so that training lets urgent work through every few milliseconds: what is
  /// computed between two calls of `yield` grows with them and with the heads that are read.
  package var usualImages: Int { max(1, 64 / (shape.oldHeads + shape.heads)) }

  package init(_ backbone: VisionTransformer, shape: ExpertShape) {
    self.shape = shape
    frozenShape = backbone.frozenHeadsShape(blocks: shape.blocks)
    activations = backbone.parts.blocks.suffix(shape.blocks).map(\.activation)
    isa = backbone.description.instructionSet.kernels
  }

  private func block(_ index: Int) -> ExpertBlock {
    ExpertBlock(shape: shape, isLast: index == shape.blocks - 1, activation: activations[index], isa: isa)
  }

  /// One image's feature, `[shape.featureWidth]`, not of unit length. `yield` as for several images.
  package func forward(
    _ parameters: ExpertParameters, _ heads: FrozenHeads, earlier: [ExpertSlices] = [], yield: () -> Void
  ) -> [Float] {
    forward(parameters, [ExpertSource(heads: heads, earlier: earlier)], yield: yield).storage
  }

  /// The images' features, `[images.count, shape.featureWidth]`, not of unit length.
  ///
  /// `yield` is called after the values and after every new head of every task attention.
  ///
  /// - Parameter keepsRecord: whether `backward` follows.
  package func forward(
    _ parameters: ExpertParameters, _ images: [ExpertSource], keepsRecord: Bool = false, yield: () -> Void
  ) -> Matrix<Float> {
    precondition(parameters.shape == shape, "parameters of another expert")
    precondition(
      images.allSatisfy { $0.heads.shape == frozenShape && $0.fits(shape) }, "heads and slices that this expert reads")
    let input = images.input(shape, isa: isa)
    var x = parameters.input.forward(input)
    yield()
    kept = []
    var saved: [ExpertBlock.Saved] = []
    var patches = x
    for index in 0..<shape.blocks {
      patches = x
      let result = block(index).forward(
        x, old: images.old(shape, block: index, isa: isa), parameters: parameters.blocks[index], yield: yield)
      x = result.output
      kept.append((result.saved.mlpInput, result.saved.hidden))
      if keepsRecord { saved.append(result.saved) }
    }
    let (normalizedPatches, patchNorm) = parameters.patchNorm.forward(patches)
    let (classTokens, classNorm) = parameters.classNorm.forward(x)
    var summaries: [Float] = []
    for image in images.indices {
      let end = (image + 1) * shape.tokens
      summaries += classTokens.row(image)
      summaries += normalizedPatches.selectingRows(end - shape.patches..<end).columnSums().map {
        $0 / Float(shape.patches)
      }
    }
    let summary = Matrix(rows: images.count, columns: shape.summaryWidth, storage: summaries)
    record =
      keepsRecord
      ? ExpertRecord(
        parameters: parameters, images: images, input: input, blocks: saved, patchNorm: patchNorm,
        classNorm: classNorm, summary: summary) : nil
    guard let correction = parameters.correction else { return summary }
    let length = Float(shape.featureWidth).squareRoot()
    return correction.forward(summary.mapElements { Self.correctionFactor * $0 }).mapElements(
      with: images.features(shape, isa: isa)
    ) { $0 + length * $1 }
  }

  private static let correctionFactor: Float = 3.5

  /// From the gradient of the features to that of the summaries.
  private func summaryGradient(
    _ gradient: Matrix<Float>, _ record: ExpertRecord, adding sums: inout ExpertGradient
  ) -> Matrix<Float> {
    guard let correction = record.parameters.correction else { return gradient }
    sums.correction?.add(gradient, input: record.summary.mapElements { Self.correctionFactor * $0 })
    return correction.backward(gradient).mapElements { Self.correctionFactor * $0 }
  }

  /// What later experts read of one of the images that went through last.
  package func slices(of image: Int = 0) -> ExpertSlices {
    precondition(!kept.isEmpty, "slices follow a forward pass")
    let slices = ExpertSlices(shape: shape.slices)
    for (index, block) in kept.enumerated() {
      let rows = image * shape.rows(index)..<(image + 1) * shape.rows(index)
      slices.freeze(
        block: index, mlpInput: block.mlpInput.selectingRows(rows), hidden: block.hidden.selectingRows(rows), isa: isa)
    }
    return slices
  }

  /// Adds the gradient of the parameters to `sums`, given that of the features `forward` returned last,
  /// `[images, shape.featureWidth]`, and forgets what that pass kept for it: megabytes an image. `yield` is called after every new head of every task attention
  /// and after its values.
  package func backward(_ gradient: Matrix<Float>, adding sums: inout ExpertGradient, yield: () -> Void) {
    guard let record else { preconditionFailure("a pass that kept nothing has no way back") }
    self.record = nil
    precondition(
      gradient.rows == record.images.count && gradient.columns == shape.featureWidth && sums.shape == shape,
      "a gradient of this expert's features")
    let parameters = record.parameters
    let summaryGradient = summaryGradient(gradient, record, adding: &sums)
    var dx = parameters.classNorm.backward(
      summaryGradient.selectingColumns([0..<shape.sliceWidth]), saved: record.classNorm, adding: &sums.classNorm)
    for index in (0..<shape.blocks).reversed() {
      dx = block(index).backward(
        dx, saved: record.blocks[index], old: record.images.old(shape, block: index, isa: isa),
        parameters: parameters.blocks[index], adding: &sums.blocks[index], yield: yield)
      if index == shape.blocks - 1 {
        dx.add(
          parameters.patchNorm.backward(
            patchGradient(summaryGradient), saved: record.patchNorm, adding: &sums.patchNorm))
      }
    }
    sums.input.add(dx, input: record.input)
    yield()
  }

  /// The gradient of every token before the last block's LayerNormed patches were averaged.
  private func patchGradient(_ gradient: Matrix<Float>) -> Matrix<Float> {
    let width = shape.sliceWidth
    var result = Matrix<Float>(rows: gradient.rows * shape.tokens, columns: width)
    for image in 0..<gradient.rows {
      let share = gradient.row(image).suffix(width).map { $0 / Float(shape.patches) }
      let end = (image + 1) * shape.tokens
      for row in end - shape.patches..<end {
        result.storage.replaceSubrange(row * width..<(row + 1) * width, with: share)
      }
    }
    return result
  }
}

/// What images leave for the way back.
private struct ExpertRecord {
  let parameters: ExpertParameters
  let images: [ExpertSource]
  let input: Matrix<Float>
  let blocks: [ExpertBlock.Saved]
  let patchNorm: LayerNormalization.Saved<Float>
  let classNorm: LayerNormalization.Saved<Float>
  let summary: Matrix<Float>
}
