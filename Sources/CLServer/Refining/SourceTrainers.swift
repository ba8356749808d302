package import CLModels

/// The kinds of sources that tasks add, by the learner that a task names.
package struct SourceTrainers: Sendable {
  private let prompts: any SourceTrainer
  private let experts: any SourceTrainer
  /// What a daemon without any task has.
  package let emptyBank: SourceBank

  package init(prompts: any SourceTrainer, experts: any SourceTrainer, emptyBank: SourceBank) {
    self.prompts = prompts
    self.experts = experts
    self.emptyBank = emptyBank
  }

  /// Nil for a learner that trains nothing.
  package subscript(learner: String) -> (any SourceTrainer)? {
    switch TeachingRequest.Learner(rawValue: learner) {
    case .pop: prompts
    case .dne: experts
    case .closedForm, nil: nil
    }
  }

  /// With more training examples, nothing is trained or read but the backbone's features.
  package var largestSet: Int { prompts.options.largestSet }

  /// The sources of a bank that each trainer knows, counted from 1 as features are.
  package func ranges(of bank: SourceBank) -> [(trainer: any SourceTrainer, sources: Range<Int>)] {
    let groups = 1 + bank.prompts.groups.count
    return [(prompts, 1..<groups), (experts, groups..<1 + bank.count)]
  }

  /// Forgets what is kept of examples that are not among these, and all that only the other trainers read.
  package func keep(_ ids: Set<Int64>, of trainer: any SourceTrainer) {
    for other in [prompts, experts] { other.keep(other.kind == trainer.kind ? ids : []) }
  }

  /// Forgets examples.
  package func remove(_ ids: [Int64]) {
    for trainer in [prompts, experts] { trainer.remove(ids) }
  }
}
