/// Everything that tasks have added to the backbone: prompts, and experts.
package struct SourceBank: Sendable, Equatable {
  package var prompts: PromptBank
  package var experts: ExpertBank

  package init(prompts: PromptBank, experts: ExpertBank) {
    self.prompts = prompts
    self.experts = experts
  }

  /// How many sources there are: a group of prompts each, then an expert each.
  package var count: Int { prompts.groups.count + experts.experts.count }

  package var isEmpty: Bool { count == 0 }

  /// The tasks that sources were trained for, in the sources' order.
  package var tasks: [Int64] { SourceKind.allCases.flatMap(tasks(of:)) }

  /// Ids of all examples that a source was trained on.
  package var examples: Set<Int64> {
    Set(prompts.groups.flatMap(\.examples)).union(experts.experts.flatMap(\.examples))
  }

  /// Without every source that was trained on an example that is not in `known`, or that reads one of those.
  package func keeping(_ known: Set<Int64>) -> SourceBank {
    SourceBank(prompts: prompts.keeping(known), experts: experts.keeping(known))
  }

  /// Without what a task added, the global prompts, and the experts that read what went: of a shadow, when its bank
  /// has trained the task anew without it.
  package func dropping(_ taskID: Int64) -> SourceBank {
    SourceBank(
      prompts: PromptBank(isDeep: prompts.isDeep, tasks: prompts.tasks.filter { $0.taskID != taskID }, global: nil),
      experts: ExpertBank(blocks: experts.blocks, experts: Array(experts.experts.prefix { $0.taskID != taskID })))
  }

  /// Both banks with the sources of only those tasks that both have sources of: experts as far as they agree from the
  /// first on, and the global prompts if both have them and the task prompts that these read.
  package func common(with other: SourceBank) -> (SourceBank, SourceBank) {
    let experts = zip(self.experts.experts, other.experts.experts).prefix { $0.taskID == $1.taskID }.count
    let tasks = Set(prompts.tasks.map(\.taskID)).intersection(other.prompts.tasks.map(\.taskID))
    let keepsGlobal =
      prompts.global?.taskID == other.prompts.global?.taskID
      && [self, other].allSatisfy { $0.prompts.tasks.count == tasks.count }
    func cut(_ bank: SourceBank) -> SourceBank {
      SourceBank(
        prompts: PromptBank(
          isDeep: bank.prompts.isDeep, tasks: bank.prompts.tasks.filter { tasks.contains($0.taskID) },
          global: keepsGlobal ? bank.prompts.global : nil),
        experts: ExpertBank(blocks: bank.experts.blocks, experts: Array(bank.experts.experts.prefix(experts))))
    }
    return (cut(self), cut(other))
  }

  /// Numbers in each source's feature.
  package func widths(_ description: BackboneDescription) -> [Int] {
    prompts.groups.map { _ in description.featureWidth } + experts.shapes(description).map(\.featureWidth)
  }
}
