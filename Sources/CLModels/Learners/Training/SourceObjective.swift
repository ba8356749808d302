package import Tensor

/// What sources are trained to do, on one episode's features z `[examples, width]` (not of length 1): a loss and its
/// gradient.
package enum SourceObjective: Sendable, Equatable {
  /// Kernel ridge over a mixture of the backbone's kernel and that of z, every example scored by the fit without it:
  /// cross-entropy of exp(T) times the leave-one-out scores. `backboneShare` is the backbone's weight.
  case leaveOneOutRidge(lambda: Float, backboneShare: Float)
  /// A softmax over cosine heads that are trained together with the sources.
  case softmax(SoftmaxObjective)

  /// What `softmax` is evaluated with besides.
  package struct Head {
    /// `[classes, width]`.
    package let rows: Matrix<Float>
    package let isLocal: Bool
    /// Of the old global head, `[examples, old classes]`.
    package let teacherLogits: Matrix<Float>?
  }

  package struct Value {
    package let loss: Double
    /// `[examples, width]`.
    package let gradient: Matrix<Float>
    package let logScaleGradient: Float
    /// Of the episode's examples, those that are answered right; by the ridge, without having seen them.
    package let correct: Int
    /// By the head's rows; nil without a trained head.
    package let rowGradient: Matrix<Float>?
  }

  /// - Parameters:
  ///   - backboneKernel: the arc-cosine kernel of the backbone's features of the episode.
  ///   - labels: in `0..<classes`; with a head, its rows.
  ///   - head: for `softmax`, which is nothing without.
  package func evaluate(
    _ raw: Matrix<Float>, backboneKernel: Matrix<Float>, labels: [Int], classes: Int, logScale: Float,
    head: Head? = nil
  ) -> Value? {
    switch self {
    case .leaveOneOutRidge(let lambda, let share):
      let (z, unit) = UnitLength.forward(raw)
      let cosines = z.timesTransposed(z)
      let kernel = ArcCosineKernel.forward(cosines).mapElements(with: backboneKernel) { own, backbone in
        share * backbone + (1 - share) * own
      }
      var targets = Matrix<Float>(rows: labels.count, columns: classes, repeating: -1)
      for (row, label) in labels.enumerated() { targets[row, label] = 1 }
      guard let (scores, ridge) = LeaveOneOutRidge.forward(kernel: kernel, targets: targets, lambda: lambda) else {
        return nil
      }
      let (loss, entropy) = CrossEntropy.forward(scores, labels: labels, logScale: logScale)
      guard loss.isFinite else { return nil }
      let (scoreGradient, logScaleGradient) = CrossEntropy.backward(saved: entropy)
      let kernelGradient = LeaveOneOutRidge.backward(scoreGradient, saved: ridge)
      // Both ends of a cosine move: dz = (dC + dC^T) z, and dC is symmetric.
      let cosineGradient = ArcCosineKernel.backward(
        kernelGradient.mapElements { 2 * (1 - share) * $0 }, cosines: cosines)
      return Value(
        loss: Double(loss), gradient: UnitLength.backward(cosineGradient.times(z), saved: unit),
        logScaleGradient: logScaleGradient,
        correct: labels.indices.count { scores.columnOfLargest(inRow: $0) == labels[$0] }, rowGradient: nil)
    case .softmax(let softmax):
      guard let head else { return nil }
      let value = softmax.evaluate(
        raw, rows: head.rows, isLocal: head.isLocal, logScale: logScale, labels: labels,
        teacherLogits: head.teacherLogits)
      guard value.loss.isFinite else { return nil }
      return Value(
        loss: Double(value.loss), gradient: value.features, logScaleGradient: value.logScale, correct: value.correct,
        rowGradient: value.rows)
    }
  }
}
