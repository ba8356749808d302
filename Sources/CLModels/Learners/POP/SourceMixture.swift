/// How much each source of features counts in a head: the backbone's own, the task prompts' (together) and the global
/// prompts'. The weights are those of their kernels and add up to 1.
package struct SourceMixture: Sendable, Equatable {
  /// The kind of head that reads the sources.
  package enum ReadOut: String, Sendable {
    case kernelRidge = "kernel-ridge"
    /// A cosine head trained with cross-entropy (`CosineSoftmaxFit`), of the global prompts' feature alone.
    case softmax
  }

  package let backbone: Float
  package let tasks: Float
  package let global: Float
  package let readOut: ReadOut

  package init(backbone: Float, tasks: Float, global: Float) {
    self.init(backbone: backbone, tasks: tasks, global: global, readOut: .kernelRidge)
  }

  private init(backbone: Float, tasks: Float, global: Float, readOut: ReadOut) {
    self.backbone = backbone
    self.tasks = tasks
    self.global = global
    self.readOut = readOut
  }

  /// POP's own head: softmax over the global prompts' feature.
  package static let softmax = SourceMixture(backbone: 0, tasks: 0, global: 1, readOut: .softmax)

  /// The backbone alone: what every task is compared with.
  package static let backboneOnly = SourceMixture(backbone: 1, tasks: 0, global: 0)

  /// What is tried. The first of equals is taken, so those that hold more to the backbone come first.
  package static let candidates = [
    backboneOnly,
    SourceMixture(backbone: 0.5, tasks: 0, global: 0.5),
    SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25),
    SourceMixture(backbone: 0.25, tasks: 0.25, global: 0.5),
    SourceMixture(backbone: 0, tasks: 0, global: 1),
    SourceMixture(backbone: 0, tasks: 0.5, global: 0.5),
    softmax,
  ]

  package var usesPrompts: Bool { tasks > 0 || global > 0 }

  /// The same sources, read by the kernel ridge.
  package var withRidge: SourceMixture { SourceMixture(backbone: backbone, tasks: tasks, global: global) }

  /// As in documents: the sources with a weight, the weights, and the head where it is not the kernel ridge.
  package var name: String {
    let sources = [("backbone", backbone), ("tasks", tasks), ("global", global)].filter { $0.1 > 0 }
      .map { $0.1 == 1 ? $0.0 : "\($0.0) \($0.1)" }.joined(separator: " + ")
    return readOut == .softmax ? sources + ", softmax" : sources
  }

  /// Without the sources that a bank does not have; what is left counts in the same proportion.
  package func limited(to bank: PromptBank) -> SourceMixture {
    if readOut == .softmax { return bank.global == nil ? .backboneOnly : self }
    let tasks = bank.tasks.isEmpty ? 0 : tasks
    let global = bank.global == nil ? 0 : global
    let total = backbone + tasks + global
    guard total > 0 else { return .backboneOnly }
    return SourceMixture(backbone: backbone / total, tasks: tasks / total, global: global / total)
  }

  /// Which of the features, the backbone's and then one a group of the bank, a head reads.
  package func sources(of bank: PromptBank) -> [Int] {
    let taskSources = tasks > 0 ? Array(1..<1 + bank.tasks.count) : []
    return (backbone > 0 ? [0] : []) + taskSources + (global > 0 && bank.global != nil ? [1 + bank.tasks.count] : [])
  }

  /// The kernels over those features side by side, `width` numbers each. The task prompts' are one source: their mean
  /// cosine counts.
  package func kernels(of bank: PromptBank, width: Int) -> FeatureMixture {
    var parts: [FeatureMixture.Part] = []
    var start = 0
    for (weight, count) in [(backbone, 1), (tasks, bank.tasks.count), (global, bank.global == nil ? 0 : 1)]
    where weight > 0 && count > 0 {
      parts.append(.init(columns: start * width..<(start + count) * width, weight: weight))
      start += count
    }
    return FeatureMixture(parts)
  }
}
