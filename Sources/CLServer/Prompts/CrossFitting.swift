package import CLModels
import Storage

/// Which training examples judge prompts that never saw them.
///
/// Leave-one-out flatters features that were trained on the labels, so where too little is held out, a second bank of
/// prompts, the shadow, is trained on three quarters of each class's examples and judged on the rest. What it finds
/// decides how the real prompts are read; the shadow itself never answers.
package enum CrossFitting {
  /// The share of a class's groups that judge.
  private static let share = 4
  /// A class with fewer groups keeps them all for learning.
  private static let fewest = 3

  /// Positions in `set.training` of the examples that judge: of each class a quarter of its groups, chosen by content,
  /// that no group of the shadow was trained on.
  package static func judges(of set: TrainingSet, shadow: PromptBank) -> Set<Int> {
    let seen = Set(shadow.groups.flatMap(\.examples))
    var chosen: Set<Int> = []
    for members in Dictionary(grouping: set.training.indices, by: { set.training[$0].classID }).values {
      var groups: [Int: [Int]] = [:]
      for index in members { groups[set.groups?[index] ?? index, default: []].append(index) }
      guard groups.count >= fewest else { continue }
      let unseen = groups.values.filter { $0.allSatisfy { !seen.contains(set.training[$0].id) } }
      // The set is sorted by a hash of the content: neither the order of sending nor of ids decides.
      let ordered = unseen.sorted { $0[0] < $1[0] }
      for group in ordered.prefix(max(1, groups.count / share)) { chosen.formUnion(group) }
    }
    return chosen
  }
}
