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

  package var promptKind: String { prompts.kind }
  package var expertKind: String { experts.kind }
  package var kinds: [String] { [promptKind, expertKind] }

  /// The task of every source of a kind, in the sources' order.
  func tasks(of kind: String, in bank: SourceBank) -> [Int64] {
    kind == promptKind ? bank.prompts.groups.map(\.taskID) : bank.experts.experts.map(\.taskID)
  }

  /// The kinds that a version stored something of, by its artifacts' kinds.
  func kinds(in artifacts: [String]) -> Set<String> {
    typealias Kind = VersionManifest.ArtifactKind
    let owners = [
      Kind.prompts: promptKind, Kind.shadow: promptKind, Kind.expert: expertKind, Kind.shadowExpert: expertKind,
    ]
    return Set(artifacts.compactMap { owners[$0] })
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
