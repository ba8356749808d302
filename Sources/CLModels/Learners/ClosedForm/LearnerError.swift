/// Why a closed-form learner or a stored head was refused.
package enum LearnerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is nothing to learn from.
  case noExamples
  /// The training set contradicts itself: what, in words.
  case invalid(String)
  /// A feature is infinite or not a number.
  case notFinite(example: Int)
  /// The system could not be solved in double precision (features of extreme size).
  case notSolvable
  /// The bytes are no stored head: what is wrong with them.
  case unreadable(String)

  package var description: String {
    switch self {
    case .noExamples: "there are no examples to learn from"
    case .invalid(let reason): "the training set is invalid: \(reason)"
    case .notFinite(let example): "example \(example) has a feature that is not a finite number"
    case .notSolvable: "the closed-form system cannot be solved"
    case .unreadable(let reason): "the stored head is unreadable: \(reason)"
    }
  }
}
