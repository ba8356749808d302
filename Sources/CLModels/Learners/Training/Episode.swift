package import Tensor

/// Draws the episodes that prompts are trained on: a few classes, and a few examples of each.
package struct EpisodeSampler: Sendable {
  /// Examples by class; classes with fewer than two examples are left out, since leaving one out would leave none.
  private let members: [[Int]]
  /// Positions in `members` of the classes that are drawn first: the new task's.
  private let preferred: [Int]
  private let others: [Int]
  private let classes: Int
  private let size: Int

  /// - Parameters:
  ///   - labels: every example's class.
  ///   - preferred: classes of the task that is being learned: half of an episode's classes where there are enough.
  ///   - classes: the most classes of an episode.
  ///   - size: the most examples of an episode, at least 4. It has fewer classes where two of each would be more.
  package init(labels: [Int], preferred: Set<Int>, classes: Int, size: Int) {
    var byClass: [Int: [Int]] = [:]
    for (index, label) in labels.enumerated() { byClass[label, default: []].append(index) }
    let kept = byClass.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
    members = kept.map(\.value)
    self.preferred = kept.indices.filter { preferred.contains(kept[$0].key) }
    others = kept.indices.filter { !preferred.contains(kept[$0].key) }
    self.classes = classes
    self.size = size
  }

  /// Whether there are two classes to tell apart.
  package var isUsable: Bool { members.count > 1 }

  /// The examples of one episode, class after class. Depends on the generator alone.
  package func draw(_ generator: inout SeededGenerator) -> [Int] {
    let total = min(classes, members.count, max(2, size / 2))
    let own = min(preferred.count, max(total / 2, total - others.count))
    let chosen =
      preferred.shuffled(using: &generator).prefix(own) + others.shuffled(using: &generator).prefix(total - own)
    let each = max(2, size / max(1, chosen.count))
    return chosen.sorted().flatMap { members[$0].shuffled(using: &generator).prefix(each) }
  }
}
