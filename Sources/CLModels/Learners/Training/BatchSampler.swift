package import Tensor

/// Draws the examples of one training step.
protocol ExampleSampler: Sendable {
  /// Whether there is something to learn from.
  var isUsable: Bool { get }
  /// Depends on the generator alone.
  func draw(_ generator: inout SeededGenerator) -> [Int]
}

extension EpisodeSampler: ExampleSampler {}

/// Draws the batches of softmax training: from all examples alike, or class by class.
package struct BatchSampler: ExampleSampler {
  /// Examples by class, rising.
  private let members: [[Int]]
  private let count: Int
  private let size: Int
  private let isBalanced: Bool

  /// - Parameters:
  ///   - size: the most examples of a batch, at least 1.
  ///   - isBalanced: whether every class gives as many examples as any other, give or take one, while it has some left.
  package init(labels: [Int], size: Int, isBalanced: Bool) {
    var byClass: [Int: [Int]] = [:]
    for (index, label) in labels.enumerated() { byClass[label, default: []].append(index) }
    members = byClass.sorted { $0.key < $1.key }.map(\.value)
    count = labels.count
    self.size = size
    self.isBalanced = isBalanced
  }

  /// Whether there are two classes to tell apart.
  package var isUsable: Bool { members.count > 1 }

  /// Different examples, rising. Depends on the generator alone.
  package func draw(_ generator: inout SeededGenerator) -> [Int] {
    guard isBalanced else { return (0..<count).shuffled(using: &generator).prefix(size).sorted() }
    let classes = members.shuffled(using: &generator).map { $0.shuffled(using: &generator) }
    let rounds = classes.map(\.count).max() ?? 0
    // One of every class, then a second of every class...
    let dealt = (0..<rounds).lazy.flatMap { round in classes.lazy.filter { $0.count > round }.map { $0[round] } }
    return dealt.prefix(size).sorted()
  }
}
