package import Tensor

/// What a task is trained with (DNE, Hu et al. 2023): (1 - s) BCE(logits, y) + s KL(old softmax || new softmax over the old
/// classes) + d BCE(divergence head, y'), s the share of old classes among all. The KL is divided by the old classes
/// too, as the BCE is by all; y' is class 0 for every old class, and 1, 2... for the task's.
package struct ExpansionLoss: Sendable, Equatable {
  /// tau of the KL, at 1 in the paper.
  package var temperature: Double
  /// d.
  package var divergenceWeight: Double

  package init(temperature: Double = 1, divergenceWeight: Double = 0.1) {
    self.temperature = temperature
    self.divergenceWeight = divergenceWeight
  }

  package struct Value<Scalar: KernelScalar>: Sendable {
    package let loss: Scalar
    /// By the newest slice's parameters, by those of the heads, and by the divergence head's.
    package var slice: ParameterVector<Scalar>
    package var heads: ParameterVector<Scalar>
    package var divergence: ParameterVector<Scalar>?
  }

  /// On a batch.
  ///
  /// - Parameters:
  ///   - patches: `[images * tokens, patch inputs]`.
  ///   - labels: a class an image, as the logits count them.
  ///   - divergence: a head of the task's classes and one for all others; nil for the first task and for fine-tuning.
  ///   - teacher: the network as it was before the task; nil without distillation.
  @specialized(where Scalar == Float)
  package func evaluate<Scalar: KernelScalar>(
    _ network: ExpandingNetwork<Scalar>, patches: Matrix<Scalar>, labels: [Int],
    divergence: ClassifierHeads<Scalar>? = nil, teacher: ExpandingNetwork<Scalar>? = nil
  ) -> Value<Scalar> {
    let pass = network.forward(patches)
    let (logits, headsSaved) = network.heads.forward(pass.token)
    let oldClasses = teacher?.heads.classCount ?? 0
    let share = Scalar(oldClasses) / Scalar(network.heads.classCount)
    let (entropy, entropySaved) = BinaryCrossEntropy.forward(
      logits, targets: Self.targets(labels, classes: network.heads.classCount))
    var loss = (1 - share) * entropy
    var logitGradient = BinaryCrossEntropy.backward(1 - share, saved: entropySaved)
    if let teacher {
      // The teacher's slices are the network's own where it has grown: their class tokens are there already.
      let isGrown = teacher.slices.count < network.slices.count
      let old =
        isGrown
        ? teacher.heads.forward(pass.token.selectingColumns([0..<teacher.width])).logits : teacher.logits(patches)
      let (divergence, saved) = DistillationLoss.forward(
        new: logits.selectingColumns([0..<oldClasses]), old: old, temperature: Scalar(temperature))
      let weight = share / Scalar(oldClasses)
      loss += weight * divergence
      let back = DistillationLoss.backward(weight, saved: saved)
      for row in 0..<back.rows {
        for column in 0..<oldClasses { logitGradient[row, column] += back[row, column] }
      }
    }
    var (tokenGradient, headGradient) = network.heads.backward(logitGradient, saved: headsSaved)
    var divergenceGradient: ParameterVector<Scalar>?
    if let divergence {
      let first = network.heads.classCount - (network.heads.classes.last ?? 0)
      let (scores, saved) = divergence.forward(pass.token)
      let own = labels.map { max(0, $0 - first + 1) }
      let (entropy, entropySaved) = BinaryCrossEntropy.forward(
        scores, targets: Self.targets(own, classes: divergence.classCount))
      let weight = Scalar(divergenceWeight)
      loss += weight * entropy
      let back = divergence.backward(BinaryCrossEntropy.backward(weight, saved: entropySaved), saved: saved)
      tokenGradient.add(back.token)
      divergenceGradient = back.parameters
    }
    return Value(
      loss: loss, slice: network.backward(tokenGradient, patches: patches, pass: pass), heads: headGradient,
      divergence: divergenceGradient)
  }

  /// A row an image, 1 in its class's column.
  private static func targets<Scalar: KernelScalar>(_ labels: [Int], classes: Int) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: labels.count, columns: classes)
    for (row, label) in labels.enumerated() { result[row, label] = 1 }
    return result
  }
}
