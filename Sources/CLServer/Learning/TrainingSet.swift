import CLModels
package import Storage
import Tensor

/// The examples that a version is made of, in an order that depends on their content alone, so that the order in which
/// they were taught leaves no trace.
package struct TrainingSet: Sendable {
  /// In the order of the head's columns.
  package let classes: [ClassRecord]
  package let training: [ExampleRecord]
  package let heldOut: [ExampleRecord]
  /// For each training example the number of its group, or nil when every example stands alone. Examples of one named
  /// group, and near-duplicates within a class, leave together when one is left out.
  package let groups: [Int]?

  /// - Parameters:
  ///   - examples: every stored example; those of classes that are not in `classes` are left out.
  ///   - included: the ids to take.
  package init(classes: [ClassRecord], examples: [ExampleRecord], included: Set<Int64>) {
    let known = Set(classes.map(\.id))
    let chosen = examples.filter { included.contains($0.id) && known.contains($0.classID) }.sorted(by: Self.precedes)
    let training = chosen.filter { !$0.isHeldOut }
    let learned = Set(training.map(\.classID))
    // A class without a training example cannot answer, so it has no column.
    self.classes = classes.filter { learned.contains($0.id) }.sorted { $0.id < $1.id }
    self.training = training
    self.heldOut = chosen.filter { $0.isHeldOut && learned.contains($0.classID) }
    self.groups = Self.groups(of: training)
  }

  private static func precedes(_ one: ExampleRecord, _ other: ExampleRecord) -> Bool {
    if one.sha256 != other.sha256 { return one.sha256.lexicographicallyPrecedes(other.sha256) }
    return one.id < other.id
  }

  /// Whether a training example can be told right when its group is left out: its class must keep another example.
  /// One flag a training example.
  package var canBeLeftOut: [Bool] {
    var total: [Int64: Int] = [:]
    var inGroup: [Int: [Int64: Int]] = [:]
    for (index, example) in training.enumerated() {
      total[example.classID, default: 0] += 1
      inGroup[groups?[index] ?? index, default: [:]][example.classID, default: 0] += 1
    }
    return training.enumerated().map { index, example in
      (total[example.classID] ?? 0) > (inGroup[groups?[index] ?? index]?[example.classID] ?? 0)
    }
  }

  private static func groups(of training: [ExampleRecord]) -> [Int]? {
    var groups = DisjointSets(count: training.count)
    var byName: [String: Int] = [:]
    for (index, example) in training.enumerated() {
      if let group = example.group { groups.join(index, withFirstOf: group, in: &byName) }
    }
    let fingerprints = training.map { $0.fingerprint.flatMap { NearDuplicateFingerprint(encoded: $0) } }
    for members in Dictionary(grouping: training.indices, by: { training[$0].classID }).values {
      for (position, one) in members.enumerated() {
        guard let fingerprint = fingerprints[one] else { continue }
        for other in members[(position + 1)...] {
          guard let candidate = fingerprints[other] else { continue }
          if fingerprint.isNearDuplicate(of: candidate) { groups.join(one, other) }
        }
      }
    }
    return groups.isDiscrete ? nil : groups.labels()
  }
}
