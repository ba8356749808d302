internal import Tensor

/// What an expert reads of an example; any thread.
package typealias ExpertInputs = @Sendable (_ example: Int) -> ExpertSource

extension TrainedSource {
  /// One expert beside a backbone.
  package static func expert(
    _ backbone: VisionTransformer, shape: ExpertShape, inputs: @escaping ExpertInputs
  ) -> TrainedSource {
    TrainedSource(
      isGlobal: [true], featureWidth: shape.featureWidth,
      chunk: { _ in ExpertChunk(ExpertPass(backbone, shape: shape), inputs: inputs) })
  }
}

/// Goes through examples a few at a time. What the way back needs is computed a second time: kept for a whole episode, it
/// would be megabytes an example.
private final class ExpertChunk: TrainingChunk {
  private let pass: ExpertPass
  private let inputs: ExpertInputs
  private var parameters: ExpertParameters
  private var parts: [[ExpertSource]] = []

  init(_ pass: ExpertPass, inputs: @escaping ExpertInputs) {
    self.pass = pass
    self.inputs = inputs
    parameters = ExpertParameters(pass.shape, [Float](repeating: 0, count: pass.shape.parameterCount))
  }

  func forward(_ flat: [Float], examples: [Int], yield: () -> Void) -> Matrix<Float> {
    parameters = ExpertParameters(pass.shape, flat)
    yield()
    parts = stride(from: 0, to: examples.count, by: pass.usualImages).map { start in
      examples[start..<min(examples.count, start + pass.usualImages)].map { example in
        defer { yield() }
        return inputs(example)
      }
    }
    let features = parts.flatMap { pass.forward(parameters, $0, yield: yield).storage }
    return Matrix(rows: examples.count, columns: pass.shape.featureWidth, storage: features)
  }

  func backward(_ gradient: Matrix<Float>, yield: () -> Void) -> [Float] {
    var sums = ExpertGradient(pass.shape)
    var row = 0
    for part in parts {
      _ = pass.forward(parameters, part, keepsRecord: true, yield: yield)
      pass.backward(gradient.selectingRows(row..<row + part.count), adding: &sums, yield: yield)
      row += part.count
    }
    return sums.flat(for: parameters)
  }
}
