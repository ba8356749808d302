package import CLModels
package import JSONTree

/// What training in the background came to, as it is stored with the task.
package struct Refinement: Sendable {
  /// One way of reading the features, and how it did.
  package struct Candidate: Sendable, Equatable {
    package let mixture: SourceMixture
    package let correct: Int
    package let total: Int
  }

  /// What the candidates were measured on.
  package enum Judges: String, Sendable {
    case heldOut = "held-out"
    case crossFit = "cross-fit"
  }

  package var candidates: [Candidate]
  package var judges: Judges
  /// What is served from now on; nil where the version stays as it was.
  package var adopted: SourceMixture?
  /// Why nothing was adopted.
  package var reason: String?
  package var steps: Int
  package var firstLoss: Double?
  package var lastLoss: Double?
  package var seconds: Double
  package var seed: UInt64

  package var document: JSON {
    .object([
      "candidates": .array(
        candidates.map { candidate in
          .object([
            "sources": .string(candidate.mixture.name),
            "accuracy": candidate.total > 0 ? .number(Double(candidate.correct) / Double(candidate.total)) : .null,
            "correct": .integer(candidate.correct), "n": .integer(candidate.total),
            "served": .boolean(candidate.mixture == adopted),
          ])
        }),
      "measured": .string(judges.rawValue), "adopted": .boolean(adopted != nil), "reason": .optional(reason),
      "steps": .integer(steps), "first_loss": .optional(firstLoss), "last_loss": .optional(lastLoss),
      "seconds": .number((seconds * 10).rounded() / 10), "seed": .integer(Int(truncatingIfNeeded: seed)),
    ])
  }
}
