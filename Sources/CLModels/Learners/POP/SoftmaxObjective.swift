package import Tensor

/// The losses of POP's paper as far as they are known: every group has a cosine head that is trained with it.
///
/// CE(g, y) of the global head over all classes, for a group that reads tasks; a CE(l, y) of a local head over the task's
/// classes and "not this task", for a task's group; and b KD(old g || g) over the old classes where there is a teacher, b
/// being their share of all classes. Batches are drawn from all examples alike. Few-shot: every class gives as many, and no KD.
package struct SoftmaxObjective: Sendable, Equatable {
  package var isFewShot: Bool
  /// a.
  package var localWeight: Float
  /// tau.
  package var distillationTemperature: Float

  package init(isFewShot: Bool = false, localWeight: Float = 0.5, distillationTemperature: Float = 2) {
    self.isFewShot = isFewShot
    self.localWeight = localWeight
    self.distillationTemperature = distillationTemperature
  }

  /// One group's loss on a batch.
  ///
  /// - Parameters:
  ///   - features: z, `[examples, width]`.
  ///   - labels: the head's row of each example.
  ///   - teacherLogits: of the old global head, `[examples, old classes]`.
  @specialized(where Scalar == Float)
  package func evaluate<Scalar: KernelScalar>(
    _ features: Matrix<Scalar>, rows: Matrix<Scalar>, isLocal: Bool, logScale: Scalar, labels: [Int],
    teacherLogits: Matrix<Scalar>?
  ) -> CosineSoftmaxLoss.Value<Scalar> {
    let teacher: CosineSoftmaxLoss.Teacher<Scalar>? =
      isFewShot || isLocal
      ? nil
      : teacherLogits.map {
        .init(
          logits: $0, weight: Scalar($0.columns) / Scalar(rows.rows), temperature: Scalar(distillationTemperature))
      }
    return CosineSoftmaxLoss.evaluate(
      features, rows: rows, logScale: logScale, labels: labels, weight: isLocal ? Scalar(localWeight) : 1,
      teacher: teacher)
  }
}

/// What was known before a task: the global head so far, and what it said of the examples now at hand.
package struct PromptTeacher: Sendable {
  /// Its rows are where the new head's rows of the same classes start.
  package let head: CosineRows
  /// `[examples, head.labels.count]`, before any temperature but the head's; without them nothing is distilled.
  package let logits: Matrix<Float>?

  package init(head: CosineRows, logits: Matrix<Float>?) {
    precondition(!head.isLocal, "the teacher is a global head")
    precondition(logits == nil || logits?.columns == head.labels.count, "a logit a class")
    self.head = head
    self.logits = logits
  }

  /// - Parameter features: z of the global group as it was, for all examples of the training set, `[examples, width]`.
  package init(head: CosineRows, features: Matrix<Float>) {
    self.init(head: head, logits: head.logits(features))
  }
}
