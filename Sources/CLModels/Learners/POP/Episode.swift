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
  /// For every class of `members`, all of them from the nearest on; empty where classes are drawn freely.
  private let neighbours: [[Int]]

  /// - Parameters:
  ///   - labels: every example's class.
  ///   - preferred: classes of the task that is being learned: half of an episode's classes where there are enough.
  ///   - classes: the most classes of an episode.
  ///   - size: the most examples of an episode.
  package init(labels: [Int], preferred: Set<Int>, classes: Int, size: Int, features: Matrix<Float>? = nil) {
    var byClass: [Int: [Int]] = [:]
    for (index, label) in labels.enumerated() { byClass[label, default: []].append(index) }
    let kept = byClass.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
    let members = kept.map(\.value)
    self.members = members
    self.preferred = kept.indices.filter { preferred.contains(kept[$0].key) }
    others = kept.indices.filter { !preferred.contains(kept[$0].key) }
    self.classes = classes
    self.size = size
    neighbours = features.map { Self.neighbours(members, $0) } ?? []
  }

  private static func neighbours(_ members: [[Int]], _ features: Matrix<Float>) -> [[Int]] {
    let means = Matrix(
      members.map { rows in
        var mean = [Float](repeating: 0, count: features.columns)
        for row in rows { for (column, value) in features.row(row).enumerated() { mean[column] += value } }
        return mean
      })
    let unit = UnitLength.forward(means).output
    let cosines = unit.timesTransposed(unit)
    return members.indices.map { one in
      members.indices.sorted { cosines[one, $0] > cosines[one, $1] }
    }
  }

  /// Whether there are two classes to tell apart.
  package var isUsable: Bool { members.count > 1 }

  /// The examples of one episode, class after class. Depends on the generator alone.
  package func draw(_ generator: inout SeededGenerator) -> [Int] {
    let total = min(classes, members.count)
    if !neighbours.isEmpty {
      // Half of the time a class of the new task: its nearest, every other one of twice as many.
      let anchors = preferred.isEmpty || generator.nextUniform() < 0.5 ? Array(members.indices) : preferred
      let anchor = anchors.randomElement(using: &generator) ?? 0
      let near = neighbours[anchor].prefix(min(members.count, 2 * total)).dropFirst().shuffled(using: &generator)
      let chosen = [anchor] + near.prefix(total - 1)
      let each = max(2, size / max(1, chosen.count))
      return chosen.sorted().flatMap { members[$0].shuffled(using: &generator).prefix(each) }
    }
    let own = min(preferred.count, max(total / 2, total - others.count))
    let chosen =
      preferred.shuffled(using: &generator).prefix(own) + others.shuffled(using: &generator).prefix(total - own)
    let each = max(2, size / max(1, chosen.count))
    return chosen.sorted().flatMap { members[$0].shuffled(using: &generator).prefix(each) }
  }
}
