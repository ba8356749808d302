package import Tensor

/// The loss of a cosine head with a learned temperature, exp(T) cos(z, row), and its gradient by everything that it is
/// trained together with:
///
/// weight CE(logits, labels) + teacher.weight tau^2 KL(teacher || logits of the teacher's classes), both softmaxes at tau.
package enum CosineSoftmaxLoss {
  /// What an older head says of the same examples: its logits `[examples, old classes]`, which are the first rows of the
  /// head that is trained.
  package struct Teacher<Scalar: KernelScalar>: Sendable {
    package let logits: Matrix<Scalar>
    package let weight: Scalar
    /// tau.
    package let temperature: Scalar

    package init(logits: Matrix<Scalar>, weight: Scalar, temperature: Scalar) {
      self.logits = logits
      self.weight = weight
      self.temperature = temperature
    }
  }

  package struct Value<Scalar: KernelScalar>: Sendable {
    package let loss: Scalar
    /// By z, `[examples, width]`.
    package let features: Matrix<Scalar>
    /// By the head's rows, `[classes, width]`.
    package let rows: Matrix<Scalar>
    /// By T.
    package let logScale: Scalar
    /// How many examples are answered right.
    package let correct: Int
  }

  /// - Parameters:
  ///   - features: z, `[examples, width]`, of any length; at least one.
  ///   - rows: `[classes, width]`, of any length.
  ///   - labels: the row of each example.
  ///   - exampleWeights: one an example, 1 on average.
  @specialized(where Scalar == Float)
  package static func evaluate<Scalar: KernelScalar>(
    _ features: Matrix<Scalar>, rows: Matrix<Scalar>, logScale: Scalar, labels: [Int],
    exampleWeights: [Scalar]? = nil, weight: Scalar = 1, teacher: Teacher<Scalar>? = nil
  ) -> Value<Scalar> {
    let (cosines, saved) = CosineHead.forward(features, weights: rows, scale: 1)
    let (entropy, savedEntropy) = CrossEntropy.forward(
      cosines, labels: labels, logScale: logScale, weights: exampleWeights)
    var (gradient, scaleGradient) = CrossEntropy.backward(weight, saved: savedEntropy)
    var loss = weight * entropy
    if let teacher, teacher.weight > 0, teacher.logits.columns > 0 {
      let scale = Scalar.exponential(logScale)
      let old = teacher.logits.columns
      precondition(old <= cosines.columns && teacher.logits.rows == cosines.rows, "the teacher knows the first rows")
      var logits = teacher.logits
      for row in 0..<logits.rows {
        for column in 0..<old { logits[row, column] = scale * cosines[row, column] }
      }
      let (divergence, savedDivergence) = DistillationLoss.forward(
        new: logits, old: teacher.logits, temperature: teacher.temperature)
      loss += teacher.weight * divergence
      let logitGradient = DistillationLoss.backward(teacher.weight, saved: savedDivergence)
      for row in 0..<logits.rows {
        for column in 0..<old {
          gradient[row, column] += scale * logitGradient[row, column]
          scaleGradient += logitGradient[row, column] * logits[row, column]
        }
      }
    }
    let back = CosineHead.backward(gradient, saved: saved, scale: 1)
    return Value(
      loss: loss, features: back.input, rows: back.weights, logScale: scaleGradient,
      correct: labels.indices.count { cosines.columnOfLargest(inRow: $0) == labels[$0] })
  }
}
