/// What a task can add to the backbone, in the order of features. The raw value is the plural that messages use.
package enum SourceKind: String, Sendable, CaseIterable {
  case prompts
  case experts
}

extension SourceBank {
  /// The task of every source of a kind, in the sources' order.
  package func tasks(of kind: SourceKind) -> [Int64] {
    switch kind {
    case .prompts: prompts.groups.map(\.taskID)
    case .experts: experts.experts.map(\.taskID)
    }
  }
}
