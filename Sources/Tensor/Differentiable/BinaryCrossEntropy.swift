/// Logits and targets `[rows, classes]`, targets between 0 and 1, to one number: the mean over all elements of
/// -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), every class decided on its own (PyTorch's
/// `binary_cross_entropy_with_logits`). The targets are constants.
package enum BinaryCrossEntropy {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// dloss/dlogits = (sigmoid(x) - t) / elements, `[rows, classes]`.
    package let logitGradient: Matrix<Scalar>
  }

  /// There is at least one element. Written as max(x, 0) - x t + log(1 + exp(-|x|)), which does not overflow.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ logits: Matrix<Scalar>, targets: Matrix<Scalar>
  ) -> (loss: Scalar, saved: Saved<Scalar>) {
    precondition(!logits.storage.isEmpty, "at least one element")
    let share = 1 / Scalar(logits.storage.count)
    let losses = logits.mapElements(with: targets) { x, t in
      max(x, 0) - x * t + Scalar.logarithm(1 + Scalar.exponential(-abs(x)))
    }
    let logitGradient = logits.mapElements(with: targets) { x, t in
      share * (1 / (1 + Scalar.exponential(-x)) - t)
    }
    return (losses.storage.reduce(0, +) * share, Saved(logitGradient: logitGradient))
  }

  /// `gradient` is the derivative by this loss, 1 when it is the whole.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(_ gradient: Scalar = 1, saved: Saved<Scalar>) -> Matrix<Scalar> {
    saved.logitGradient.mapElements { gradient * $0 }
  }
}
