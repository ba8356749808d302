/// Everything that tasks have added to the backbone: prompts, and experts.
package struct SourceBank: Sendable, Equatable {
  package var prompts: PromptBank
  package var experts: ExpertBank

  package init(prompts: PromptBank, experts: ExpertBank) {
    self.prompts = prompts
    self.experts = experts
  }

  package var isEmpty: Bool { prompts.isEmpty && experts.isEmpty }

  /// How many sources there are: a group of prompts each, then an expert each.
  package var count: Int { prompts.groups.count + experts.experts.count }

  /// The tasks that sources were trained for, in the sources' order.
  package var tasks: [Int64] { prompts.groups.map(\.taskID) + experts.experts.map(\.taskID) }

  /// Ids of all examples that a source was trained on.
  package var examples: Set<Int64> {
    Set(prompts.groups.flatMap(\.examples)).union(experts.experts.flatMap(\.examples))
  }

  /// Without every source that was trained on an example that is not in `known`, or that reads one of those.
  package func keeping(_ known: Set<Int64>) -> SourceBank {
    SourceBank(prompts: prompts.keeping(known), experts: experts.keeping(known))
  }

  /// Numbers in each source's feature.
  package func widths(_ description: BackboneDescription) -> [Int] {
    prompts.groups.map { _ in description.featureWidth } + experts.shapes(description).map(\.featureWidth)
  }
}
