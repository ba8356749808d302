package import CLModels
package import JSONTree

/// What training in the background came to, as it is stored with the task.
package struct Refinement: Sendable {
  /// One way of answering, and how it did.
  package struct Candidate: Sendable, Equatable {
    package let mixture: SourceMixture
    /// The recipe that its prompts were trained by; nil for what needs no training.
    package let training: String?
    package let correct: Int
    package let total: Int
    /// Mean negative log likelihood of the judges' classes, in nats.
    package let loss: Double

    package init(mixture: SourceMixture, training: String?, correct: Int, total: Int, loss: Double) {
      self.loss = loss
      self.mixture = mixture
      self.training = training
      self.correct = correct
      self.total = total
    }
  }

  /// What the candidates were measured on.
  package enum Judges: String, Sendable {
    case heldOut = "held-out"
    case crossFit = "cross-fit"
  }

  package var candidates: [Candidate] = []
  package var judges: Judges
  /// Which candidate is served from now on.
  package var served: Int?
  package var isAdopted = false
  /// Why nothing was adopted.
  package var reason: String?
  package var steps = 0
  package var firstLoss: Float?
  package var lastLoss: Float?
  package var seconds = 0.0
  package var seed: UInt64

  package init(judges: Judges, seed: UInt64) {
    self.judges = judges
    self.seed = seed
  }

  package var document: JSON {
    .object([
      "candidates": .array(
        candidates.enumerated().map { index, candidate in
          .object([
            "sources": .string(candidate.mixture.name), "training": .optional(candidate.training),
            "accuracy": candidate.total > 0 ? .number(Double(candidate.correct) / Double(candidate.total)) : .null,
            "correct": .integer(candidate.correct), "n": .integer(candidate.total),
            "loss": .number((candidate.loss * 10_000).rounded() / 10_000), "served": .boolean(index == served),
          ])
        }),
      "measured": .string(judges.rawValue), "adopted": .boolean(isAdopted), "reason": .optional(reason),
      "steps": .integer(steps), "first_loss": .optional(firstLoss.map(Double.init)),
      "last_loss": .optional(lastLoss.map(Double.init)), "seconds": .number((seconds * 10).rounded() / 10),
      "seed": .integer(Int(truncatingIfNeeded: seed)),
    ])
  }
}
