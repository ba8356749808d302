import CLModels
package import Storage
import Tensor

/// Decides which of a request's examples are held out, with what is stored already in mind.
package struct HeldOutSplitter: Sendable {
  /// An example with its side.
  package struct Assigned: Sendable {
    package let checked: CheckedExample
    package let isHeldOut: Bool
  }

  private let store: Store
  private let findsNearDuplicates: Bool

  package init(store: Store, findsNearDuplicates: Bool) {
    self.store = store
    self.findsNearDuplicates = findsNearDuplicates
  }

  /// Splits `examples`. With `isNamed` the request itself says which are held out; what it wants to learn from and belongs
  /// with a held-out example is rejected then, and the other way round.
  ///
  /// A class that would have nothing to learn from loses its held-out items too: they are rejected.
  package func split(
    _ examples: [CheckedExample], holdout: Double, isNamed: Bool
  ) throws(StorageError) -> (examples: [Assigned], rejected: [RejectedItem]) {
    let snapshot = try store.trainingSnapshot()
    let names = Dictionary(uniqueKeysWithValues: snapshot.classes.map { ($0.id, $0.name) })
    let stored = snapshot.examples
    let clusters = clusters(examples, stored)
    var reasons: [Int: String] = [:]
    let sides: [Bool]
    if isNamed {
      sides = examples.map { $0.item.isHeldOut == true }
      reasons = contradictions(examples, sides: sides, stored: stored, clusters: clusters)
    } else {
      sides = assign(examples, stored: stored, names: names, clusters: clusters, holdout: holdout)
    }
    var learned = Set(stored.filter { !$0.isHeldOut }.compactMap { names[$0.classID] })
    for (position, example) in examples.enumerated() where !sides[position] && reasons[position] == nil {
      learned.insert(example.item.label)
    }
    var assigned: [Assigned] = []
    var rejected: [RejectedItem] = []
    for (position, example) in examples.enumerated() {
      let reason =
        reasons[position]
        ?? (learned.contains(example.item.label) ? nil : "held out, but its class has no example to learn from")
      if let reason {
        rejected.append(RejectedItem(index: example.index, name: example.item.name, reason: reason))
      } else {
        assigned.append(Assigned(checked: example, isHeldOut: sides[position]))
      }
    }
    return (assigned, rejected)
  }
}

extension HeldOutSplitter {
  /// Chooses by content, with groups, near-duplicates and the sides of what is stored in mind.
  private func assign(
    _ examples: [CheckedExample], stored: [ExampleRecord], names: [Int64: String], clusters: [Int], holdout: Double
  ) -> [Bool] {
    var numbers: [String: Int] = [:]
    func number(_ label: String) -> Int {
      let number = numbers[label] ?? numbers.count
      numbers[label] = number
      return number
    }
    var existing = HeldOutSplit.Existing()
    for example in stored {
      guard let name = names[example.classID] else { continue }
      var counts = existing.counts[number(name)] ?? HeldOutSplit.Existing.Counts(training: 0, heldOut: 0)
      if example.isHeldOut { counts.heldOut += 1 } else { counts.training += 1 }
      existing.counts[number(name)] = counts
      if let group = example.group { existing.groups[group] = example.isHeldOut ? .heldOut : .training }
    }
    for (index, example) in stored.enumerated() {
      existing.clusters[clusters[index]] = example.isHeldOut ? .heldOut : .training
    }
    let items = examples.enumerated().map { index, example in
      HeldOutSplit.Item(
        label: number(example.item.label), group: example.item.group, content: example.sha256,
        cluster: clusters[stored.count + index])
    }
    return HeldOutSplit.assign(items, fraction: holdout, existing: existing).heldOut
  }

  /// Why an example cannot be taken on the side the request names, by position.
  private func contradictions(
    _ examples: [CheckedExample], sides: [Bool], stored: [ExampleRecord], clusters: [Int]
  ) -> [Int: String] {
    var storedGroups: [String: Bool] = [:]
    var storedClusters: [Int: Bool] = [:]
    for (index, example) in stored.enumerated() {
      storedClusters[clusters[index]] = example.isHeldOut
      if let group = example.group { storedGroups[group] = example.isHeldOut }
    }
    var heldOutGroups: Set<String> = []
    var heldOutClusters: Set<Int> = []
    for (position, example) in examples.enumerated() where sides[position] {
      heldOutClusters.insert(clusters[stored.count + position])
      if let group = example.item.group { heldOutGroups.insert(group) }
    }
    var reasons: [Int: String] = [:]
    for (position, example) in examples.enumerated() {
      let cluster = clusters[stored.count + position]
      let group = example.item.group
      if let side = storedClusters[cluster], side != sides[position] {
        reasons[position] =
          side ? "the same as a held-out example, or nearly" : "the same as a learned example, or nearly"
      } else if let group, let side = storedGroups[group], side != sides[position] {
        reasons[position] = side ? "its group is held out" : "its group is learned from"
      } else if !sides[position], heldOutClusters.contains(cluster) {
        reasons[position] = "the same as a held-out item, or nearly"
      } else if !sides[position], let group, heldOutGroups.contains(group) {
        reasons[position] = "its group is held out"
      }
    }
    return reasons
  }

  /// A number for each of the stored examples, then of the new ones: equal for near-duplicates, and for equal bytes in
  /// any case. O(new * (stored + new)).
  private func clusters(_ examples: [CheckedExample], _ stored: [ExampleRecord]) -> [Int] {
    var sets = DisjointSets(count: stored.count + examples.count)
    let contents = stored.map(\.sha256) + examples.map(\.sha256)
    var first: [[UInt8]: Int] = [:]
    for (index, content) in contents.enumerated() { sets.join(index, withFirstOf: content, in: &first) }
    guard findsNearDuplicates else { return sets.labels() }
    let known = stored.map { $0.fingerprint.flatMap { NearDuplicateFingerprint(encoded: $0) } }
    for (position, example) in examples.enumerated() {
      for (index, fingerprint) in known.enumerated() {
        guard let fingerprint, example.fingerprint.isNearDuplicate(of: fingerprint) else { continue }
        sets.join(index, stored.count + position)
      }
      for other in 0..<position where example.fingerprint.isNearDuplicate(of: examples[other].fingerprint) {
        sets.join(stored.count + other, stored.count + position)
      }
    }
    return sets.labels()
  }
}
