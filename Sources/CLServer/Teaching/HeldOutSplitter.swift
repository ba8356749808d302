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
  private let seed: UInt64

  package init(store: Store, findsNearDuplicates: Bool, seed: UInt64) {
    self.store = store
    self.findsNearDuplicates = findsNearDuplicates
    self.seed = seed
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
  private func assign(_ examples: [CheckedExample], stored: [ExampleRecord], names: [Int64: String], holdout: Double)
    -> [Bool]
  {
    examples.map { _ in false }
  }
}
