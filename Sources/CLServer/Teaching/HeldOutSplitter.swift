import CLModels
package import Storage

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

  /// Splits `examples`. If the request itself names held-out items, exactly those are held out.
  ///
  /// A class that would have nothing to learn from loses its held-out items too: they are rejected.
  package func split(
    _ examples: [CheckedExample], holdout: Double
  ) throws(StorageError) -> (examples: [Assigned], rejected: [RejectedItem]) {
    let names = Dictionary(uniqueKeysWithValues: try store.classes().map { ($0.id, $0.name) })
    let stored = try store.examples()
    let sides: [Bool]
    if examples.contains(where: { $0.item.isHeldOut == true }) {
      sides = examples.map { $0.item.isHeldOut == true }
    } else {
      sides = assign(examples, stored: stored, names: names, holdout: holdout)
    }
    var learned = Set(stored.filter { !$0.isHeldOut }.compactMap { names[$0.classID] })
    for (example, isHeldOut) in zip(examples, sides) where !isHeldOut { learned.insert(example.item.label) }
    var assigned: [Assigned] = []
    var rejected: [RejectedItem] = []
    for (example, isHeldOut) in zip(examples, sides) {
      if learned.contains(example.item.label) {
        assigned.append(Assigned(checked: example, isHeldOut: isHeldOut))
      } else {
        rejected.append(
          RejectedItem(
            index: example.index, name: example.item.name,
            reason: "held out, but its class has no example to learn from"))
      }
    }
    return (assigned, rejected)
  }
}

extension HeldOutSplitter {
  /// Chooses by content, with groups, near-duplicates and the sides of what is stored in mind.
  private func assign(
    _ examples: [CheckedExample], stored: [ExampleRecord], names: [Int64: String], holdout: Double
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
    let clusters = findsNearDuplicates ? clusters(examples, stored) : DisjointSets(count: stored.count + examples.count)
    let labels = clusters.labels()
    for (index, example) in stored.enumerated() {
      existing.clusters[labels[index]] = example.isHeldOut ? .heldOut : .training
    }
    let items = examples.enumerated().map { index, example in
      HeldOutSplit.Item(
        label: number(example.item.label), group: example.item.group, content: example.sha256,
        cluster: labels[stored.count + index])
    }
    return HeldOutSplit.assign(items, fraction: holdout, existing: existing).heldOut
  }

  /// Which of the stored examples, then the new ones, are near-duplicates of each other. O(new * (stored + new)).
  private func clusters(_ examples: [CheckedExample], _ stored: [ExampleRecord]) -> DisjointSets {
    var sets = DisjointSets(count: stored.count + examples.count)
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
    return sets
  }
}
