internal import Tensor

/// What an expert reads of an example: the backbone's heads, and the slices of the experts before it; any thread.
package typealias ExpertInputs = @Sendable (_ example: Int) -> (heads: FrozenHeads, earlier: [ExpertSlices])

extension TrainedSource {
  /// One expert beside a backbone.
  package static func expert(
    _ backbone: VisionTransformer, shape: ExpertShape, inputs: @escaping ExpertInputs
  ) -> TrainedSource {
    TrainedSource(
      isGlobal: [true], featureWidth: shape.featureWidth,
      chunk: { _ in ExpertChunk(ExpertPass(backbone, shape: shape, keepsRecords: true), inputs: inputs) })
  }
}

/// Goes through examples one by one. What the way back needs is computed a second time: kept for a whole episode, it would
/// be megabytes an example.
private final class ExpertChunk: TrainingChunk {
  private let pass: ExpertPass
  private let inputs: ExpertInputs
  private var parameters: ExpertParameters
  private var examples: [Int] = []

  init(_ pass: ExpertPass, inputs: @escaping ExpertInputs) {
    self.pass = pass
    self.inputs = inputs
    parameters = ExpertParameters(zerosOf: pass.shape)
  }

  func forward(_ parameters: [Float], examples: [Int], yield: () -> Void) -> Matrix<Float> {
    (self.parameters, self.examples) = (ExpertParameters(pass.shape, parameters), examples)
    let parameters = self.parameters
    return Matrix(
      examples.map { example in
        let (heads, earlier) = inputs(example)
        return pass.forward(parameters, heads, earlier: earlier, yield: yield)
      })
  }

  func backward(_ gradient: Matrix<Float>, yield: () -> Void) -> [Float] {
    var sums = ExpertParameters(zerosOf: pass.shape)
    for (row, example) in examples.enumerated() {
      let (heads, earlier) = inputs(example)
      _ = pass.forward(parameters, heads, earlier: earlier, yield: yield)
      pass.backward(Array(gradient.row(row)), adding: &sums, yield: yield)
    }
    return sums.flat
  }
}
