/// New and old logits `[rows, classes]` to one number: the mean over rows of
/// tau^2 KL(softmax(old / tau) || softmax(new / tau)), tau the temperature (Hinton, Vinyals and Dean 2015; the factor
/// keeps the gradient's size independent of tau). The old logits are constants.
package enum DistillationLoss {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// dloss/dnew, `[rows, classes]`.
    package let logitGradient: Matrix<Scalar>
  }

  /// There is at least one row.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    new: Matrix<Scalar>, old: Matrix<Scalar>, temperature: Scalar
  ) -> (loss: Scalar, saved: Saved<Scalar>) {
    precondition(new.rows > 0, "at least one row")
    let newLogs = LogSoftmax.forward(new.mapElements { $0 / temperature })
    let oldLogs = LogSoftmax.forward(old.mapElements { $0 / temperature })
    let share = temperature / Scalar(new.rows)
    let divergences = oldLogs.mapElements(with: newLogs) { old, new in Scalar.exponential(old) * (old - new) }
    let logitGradient = newLogs.mapElements(with: oldLogs) { new, old in
      share * (Scalar.exponential(new) - Scalar.exponential(old))
    }
    return (divergences.storage.reduce(0, +) * temperature * share, Saved(logitGradient: logitGradient))
  }

  /// dnew = tau (softmax(new / tau) - softmax(old / tau)) / rows, times the derivative by this loss.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(_ gradient: Scalar = 1, saved: Saved<Scalar>) -> Matrix<Scalar> {
    saved.logitGradient.mapElements { gradient * $0 }
  }
}
