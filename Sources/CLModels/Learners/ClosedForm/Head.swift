package import Tensor

/// Maps features to one score a class. Immutable, used by many threads at once.
package protocol Head: Sendable {
  /// How many scores it gives.
  var classCount: Int { get }
  /// The width of the features it takes.
  var featureWidth: Int { get }
  /// Scores `[n, classCount]` of features `[n, featureWidth]`; the highest is the answer. Rows are brought to unit length
  /// first. Traps when the width is another. One thread.
  func scores(_ features: Matrix<Float>) -> Matrix<Float>
  /// The head as bytes for `HeadCoding.decode`.
  func encoded() -> [UInt8]
}

/// What fitting gives.
package struct FittedHead: Sendable {
  package let head: any Head
  /// The method fitted, never `.automatic`; nil for a head that was trained by gradients.
  package let method: ClosedFormMethod?
  /// Regularisation chosen by leave-one-out: lambda of the ridges, the shrinkage of the shared covariance.
  package let lambda: Double?
  /// Divides the scores before the softmax (`Calibration`), fitted on the leave-one-out scores where there are some.
  package let temperature: Float
  /// For each example, in the caller's order, the scores of a head fitted without it (and without its group). Nil for a
  /// trained head: it would have to be trained once for every example.
  package let leaveOneOutScores: Matrix<Float>?

  /// What was fitted, in a word.
  package var name: String { method?.rawValue ?? "cosine-softmax" }
}
