import CLModels
package import Storage

/// The examples that a version is made of, in an order that depends on their content alone, so that the order in which
/// they were taught leaves no trace.
package struct TrainingSet: Sendable {
  /// In the order of the head's columns.
  package let classes: [ClassRecord]
  package let training: [ExampleRecord]
  package let heldOut: [ExampleRecord]

  /// - Parameters:
  ///   - examples: every stored example; those of classes that are not in `classes` are left out.
  ///   - included: the ids to take.
  package init(classes: [ClassRecord], examples: [ExampleRecord], included: Set<Int64>) {
    let chosen = examples.filter { included.contains($0.id) }.sorted(by: Self.precedes)
    let training = chosen.filter { !$0.isHeldOut }
    let learned = Set(training.map(\.classID))
    // A class without a training example cannot answer, so it has no column.
    self.classes = classes.filter { learned.contains($0.id) }.sorted { $0.id < $1.id }
    self.training = training
    self.heldOut = chosen.filter { $0.isHeldOut && learned.contains($0.classID) }
  }

  private static func precedes(_ one: ExampleRecord, _ other: ExampleRecord) -> Bool {
    if one.sha256 != other.sha256 { return one.sha256.lexicographicallyPrecedes(other.sha256) }
    return one.id < other.id
  }

  /// Column by class.
  package var columns: [Int64: Int] {
    Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1.id, $0) })
  }

  /// For each training example the number of its group, or nil when every example stands alone. Examples of one named
  /// group, and near-duplicates within a class, leave together when one is left out.
  package var groups: [Int]? {
    var groups = DisjointSets(count: training.count)
    var byName: [String: Int] = [:]
    for (index, example) in training.enumerated() {
      guard let group = example.group else { continue }
      if let first = byName[group] { groups.join(first, index) } else { byName[group] = index }
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
