package import CLModels
import Storage

/// Which training examples judge prompts or experts that never saw them.
///
/// Leave-one-out flatters features that were trained on the labels, so where too little is held out, a second bank,
/// the shadow, is trained on three quarters of each class's examples and judged on the rest. What it finds
/// decides how the real bank is read; the shadow itself never answers.
package enum CrossFitting {
  /// The share of a class's groups that judge.
  private static let share = 4
  /// A class with fewer examples keeps them all for learning: with five and ten images a class, one and two of each misjudged
  /// prompts that then answered two to three points worse.
  package static let fewest = 12
  /// So does a class with fewer groups.
  private static let fewestGroups = 3

  /// Positions in `set.training` of the examples that judge: of each class up to a quarter of its groups, chosen by content,
  /// that no group of the shadow was trained on. A group that is in several classes judges in all of them or in none.
  package static func judges(of set: TrainingSet, shadow: SourceBank) -> Set<Int> {
    let seen = shadow.examples
    var members: [Int: [Int]] = [:]
    for index in set.training.indices { members[set.groups?[index] ?? index, default: []].append(index) }
    let examples = Dictionary(grouping: set.training, by: \.classID).mapValues(\.count)
    var rest: [Int64: Int] = [:]
    for group in members.values {
      for known in Set(group.map { set.training[$0].classID }) { rest[known, default: 0] += 1 }
    }
    for (known, groups) in rest {
      rest[known] = groups < fewestGroups || examples[known, default: 0] < fewest ? 0 : max(1, groups / share)
    }
    var chosen: Set<Int> = []
    // The set is sorted by a hash of the content: neither the order of sending nor of ids decides.
    for group in members.values.sorted(by: { $0[0] < $1[0] }) {
      let classes = Set(group.map { set.training[$0].classID })
      guard classes.allSatisfy({ (rest[$0] ?? 0) > 0 }), group.allSatisfy({ !seen.contains(set.training[$0].id) })
      else { continue }
      for known in classes { rest[known, default: 0] -= 1 }
      chosen.formUnion(group)
    }
    return chosen
  }
}
