/// Scores s `[rows, classes]` and a label a row to one number: the mean over rows of
/// -log softmax(exp(logScale) s)[label], the cross-entropy of scores with a learned scale (as in CLIP, Radford et al.
/// 2021). A `logScale` of 0 is the plain loss. With weights, a row counts as many times as its weight says; a mean weight
/// of 1 keeps the loss's size.
package enum CrossEntropy {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// dloss/d(exp(logScale) s) = weight (p - [column is the label]) / rows, `[rows, classes]`.
    package let logitGradient: Matrix<Scalar>
    package let scores: Matrix<Scalar>
    package let scale: Scalar
  }

  /// `labels` has one class in `0..<classes` a row, `weights` one number; there is at least one row.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ scores: Matrix<Scalar>, labels: [Int], logScale: Scalar, weights: [Scalar]? = nil
  ) -> (loss: Scalar, saved: Saved<Scalar>) {
    precondition(labels.count == scores.rows && !labels.isEmpty, "one label a row, at least one row")
    precondition(weights == nil || weights?.count == labels.count, "one weight a row")
    let scale = Scalar.exponential(logScale)
    let logProbabilities = LogSoftmax.forward(scores.mapElements { scale * $0 })
    let share = 1 / Scalar(labels.count)
    var logitGradient = logProbabilities.mapElements { Scalar.exponential($0) * share }
    var loss: Scalar = 0
    for (row, label) in labels.enumerated() {
      precondition(label >= 0 && label < scores.columns, "a label is a column")
      let weight = weights?[row] ?? 1
      loss -= logProbabilities[row, label] * share * weight
      logitGradient[row, label] -= share
      guard weight != 1 else { continue }
      for column in 0..<scores.columns { logitGradient[row, column] *= weight }
    }
    return (loss, Saved(logitGradient: logitGradient, scores: scores, scale: scale))
  }

  /// `gradient` is the derivative by this loss, 1 when it is the whole. ds = scale dlogits, dlogScale = sum(ds s).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Scalar = 1, saved: Saved<Scalar>
  ) -> (scores: Matrix<Scalar>, logScale: Scalar) {
    let factor = gradient * saved.scale
    let scores = saved.logitGradient.mapElements { factor * $0 }
    var logScale: Scalar = 0
    for index in scores.storage.indices { logScale += scores.storage[index] * saved.scores.storage[index] }
    return (scores, logScale)
  }
}
