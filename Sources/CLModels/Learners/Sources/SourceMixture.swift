/// How much each source of features counts in a head: the backbone's own, the task prompts' (together), the global
/// prompts' and the experts' (together). The weights are those of their kernels and add up to 1.
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
  package let experts: Float
  package let readOut: ReadOut

  package init(backbone: Float, tasks: Float = 0, global: Float = 0, experts: Float = 0) {
    self.init(backbone: backbone, tasks: tasks, global: global, experts: experts, readOut: .kernelRidge)
  }

  private init(backbone: Float, tasks: Float, global: Float, experts: Float, readOut: ReadOut) {
    self.backbone = backbone
    self.tasks = tasks
    self.global = global
    self.experts = experts
    self.readOut = readOut
  }

  /// POP's own head: softmax over the global prompts' feature.
  package static let softmax = SourceMixture(backbone: 0, tasks: 0, global: 1, experts: 0, readOut: .softmax)

  /// The backbone alone: what every task is compared with.
  package static let backboneOnly = SourceMixture(backbone: 1)

  /// Mixtures of the backbone and prompts.
  private static let ofPrompts = [
    SourceMixture(backbone: 0.5, tasks: 0.5),
    SourceMixture(backbone: 0.5, global: 0.5),
    SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25),
    SourceMixture(backbone: 0.25, tasks: 0.25, global: 0.5),
    SourceMixture(backbone: 0, tasks: 1),
    SourceMixture(backbone: 0, global: 1),
    SourceMixture(backbone: 0, tasks: 0.5, global: 0.5),
  ]

  /// Mixtures of the backbone and experts.
  private static let ofExperts =
    ([0.25, 0.5, 0.75] as [Float]).map { backboneOnly.sharing($0) } + [SourceMixture(backbone: 0, experts: 1)]

  /// What is tried of a bank, each of it once. The first of equals is taken, so those that hold more to the backbone come
  /// first.
  package static func candidates(of bank: SourceBank) -> [SourceMixture] {
    let all = [backboneOnly] + ofPrompts + ofExperts + ofPrompts.map { $0.sharing(0.5) } + [softmax]
    return all.map { $0.limited(to: bank) }.reduce(into: []) { found, next in
      if !found.contains(next) { found.append(next) }
    }
  }

  /// With experts that have this share of it all.
  private func sharing(_ experts: Float) -> SourceMixture {
    let rest = 1 - experts
    return SourceMixture(backbone: backbone * rest, tasks: tasks * rest, global: global * rest, experts: experts)
  }

  package func uses(_ kind: SourceKind) -> Bool {
    switch kind {
    case .prompts: tasks > 0 || global > 0
    case .experts: experts > 0
    }
  }

  /// Whether it reads anything that was trained.
  package var isTrained: Bool { SourceKind.allCases.contains(where: uses) }

  /// The same sources, read by the kernel ridge.
  package var withRidge: SourceMixture {
    SourceMixture(backbone: backbone, tasks: tasks, global: global, experts: experts)
  }

  /// The four weights: backbone, tasks, global, experts.
  package var weights: [Float] { [backbone, tasks, global, experts] }

  /// As in documents: the sources with a weight, the weights, and the head where it is not the kernel ridge.
  package var name: String {
    let sources = zip(["backbone", "tasks", "global", "experts"], weights).filter { $0.1 > 0 }
      .map { $0.1 == 1 ? $0.0 : "\($0.0) \($0.1)" }.joined(separator: " + ")
    return readOut == .softmax ? sources + ", softmax" : sources
  }

  /// Without the sources that a bank does not have; what is left counts in the same proportion.
  package func limited(to bank: SourceBank) -> SourceMixture {
    if readOut == .softmax { return bank.prompts.global == nil ? .backboneOnly : self }
    let tasks = bank.prompts.tasks.isEmpty ? 0 : tasks
    let global = bank.prompts.global == nil ? 0 : global
    let experts = bank.experts.isEmpty ? 0 : experts
    let total = backbone + tasks + global + experts
    guard total > 0 else { return .backboneOnly }
    return SourceMixture(
      backbone: backbone / total, tasks: tasks / total, global: global / total, experts: experts / total)
  }

  /// The kinds of sources in the order of features: the backbone's, the bank's task prompts', its global prompts', its
  /// experts'. How many there are of each.
  private static func counts(_ bank: SourceBank) -> [Int] {
    [1, bank.prompts.tasks.count, bank.prompts.global == nil ? 0 : 1, bank.experts.experts.count]
  }

  /// Which of the features, the backbone's and then one a source of the bank, a head reads.
  package func sources(of bank: SourceBank) -> [Int] {
    var start = 0
    var read: [Int] = []
    for (weight, count) in zip(weights, Self.counts(bank)) {
      if weight > 0 { read += start..<start + count }
      start += count
    }
    return read
  }

  /// The kernels over those features side by side. Sources of one kind are one part: their mean cosine counts.
  ///
  /// - Parameter widths: numbers of each feature, the backbone's and then one a source of the bank.
  package func kernels(of bank: SourceBank, widths: [Int]) -> FeatureMixture {
    var parts: [FeatureMixture.Part] = []
    var (first, column) = (0, 0)
    for (weight, count) in zip(weights, Self.counts(bank)) {
      if weight > 0, count > 0 {
        let width = widths[first..<first + count].reduce(0, +)
        parts.append(.init(columns: column..<column + width, weight: weight))
        column += width
      }
      first += count
    }
    return FeatureMixture(parts)
  }
}
