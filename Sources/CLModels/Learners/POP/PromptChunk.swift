package import Tensor

/// The frozen tokens of an example, and the rows of earlier tasks; any thread.
package typealias PromptTokens = @Sendable (_ example: Int) -> (frozen: FrozenTokens, earlier: FrozenTokens?)

extension TrainedSource {
  /// The prompts of a layout, all groups together.
  ///
  /// - Parameters:
  ///   - back: the backbone's way back.
  ///   - earlierRows: how many rows `tokens` gives of earlier tasks at most.
  package static func prompts(
    _ backbone: VisionTransformer, back: TransposedBackbone, layout: PromptLayout, earlierRows: Int,
    tokens: @escaping PromptTokens
  ) -> TrainedSource {
    TrainedSource(
      isGlobal: layout.groups.map(\.readsTasks), featureWidth: backbone.description.featureWidth,
      chunk: { capacity in
        PromptChunk(
          PromptPass(backbone, layout: layout, earlier: earlierRows, capacity: capacity, back: back), back: back,
          tokens: tokens)
      })
  }
}

extension PromptLayout {
  /// Prompt rows that start as the class token does, plus noise; offsets of zero.
  package static func start(
    rows: Int, backbone: VisionTransformer, isDeep: Bool, noise: Float, generator: inout SeededGenerator
  ) -> [Float] {
    let token = backbone.classTokenStart
    let description = backbone.description
    var values = [Float](
      repeating: 0,
      count: PromptLayout.parameterCount(
        rows: rows, width: description.width, blocks: description.blocks, isDeep: isDeep))
    for index in 0..<rows * description.width {
      values[index] = token[index % description.width] + noise * Float(generator.nextGaussian())
    }
    return values
  }
}

/// A pass over prompt rows, with the tokens that they read.
private final class PromptChunk: TrainingChunk {
  private let pass: PromptPass
  private let back: TransposedBackbone
  private let tokens: PromptTokens
  private var frozen: [FrozenTokens] = []
  private var earlier: [FrozenTokens] = []

  init(_ pass: PromptPass, back: TransposedBackbone, tokens: @escaping PromptTokens) {
    self.pass = pass
    self.back = back
    self.tokens = tokens
  }

  func forward(_ parameters: [Float], examples: [Int], yield: () -> Void) -> Matrix<Float> {
    let read = examples.map(tokens)
    (frozen, earlier) = (read.map(\.frozen), read.compactMap(\.earlier))
    return pass.forward(parameters, frozen: frozen, earlier: earlier, yield: yield)
  }

  func backward(_ gradient: Matrix<Float>, yield: () -> Void) -> [Float] {
    pass.backward(gradient, back: back, frozen: frozen, earlier: earlier, yield: yield)
  }
}
