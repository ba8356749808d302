import Tensor

/// Examples that must stand on one side.
private struct Bundle {
  var members: [Int] = []
  /// Members a class.
  var counts: [Int: Int] = [:]
  var rank: UInt64 = .max
  var content: [UInt8] = []
  var side: HeldOutSplit.Side?
}

/// The working state of `HeldOutSplit.assign`.
struct HeldOutAssignment {
  private let items: [HeldOutSplit.Item]
  private let existing: HeldOutSplit.Existing
  /// In the order of their ranks.
  private var bundles: [Bundle]
  private var heldOut: [Int: Int]
  private let totals: [Int: Int]
  private let targets: [Int: Int]
  private var notes: [Int: String] = [:]

  init(_ items: [HeldOutSplit.Item], fraction: Double, existing: HeldOutSplit.Existing) {
    self.items = items
    self.existing = existing
    var totals: [Int: Int] = [:]
    var heldOut: [Int: Int] = [:]
    for item in items { totals[item.label, default: 0] += 1 }
    for label in totals.keys {
      guard let counts = existing.counts[label] else { continue }
      totals[label, default: 0] += counts.training + counts.heldOut
      heldOut[label] = counts.heldOut
    }
    self.totals = totals
    self.heldOut = heldOut
    targets = totals.mapValues { total in
      guard total >= HeldOutSplit.smallestClass else { return 0 }
      return min(total - 1, max(1, Int((min(fraction, 1) * Double(total)).rounded())))
    }
    bundles = Self.bundles(items)
  }

  var result: HeldOutSplit.Result {
    var sides = [Bool](repeating: false, count: items.count)
    for bundle in bundles where bundle.side == .heldOut {
      for member in bundle.members { sides[member] = true }
    }
    return HeldOutSplit.Result(heldOut: sides, notes: notes)
  }

  // MARK: Steps

  /// Bundles whose group or cluster was placed before go to the same side.
  mutating func placeKnown() {
    for index in bundles.indices {
      var sides: [HeldOutSplit.Side] = []
      for member in bundles[index].members {
        if let group = items[member].group, let side = existing.groups[group] { sides.append(side) }
        if let cluster = items[member].cluster, let side = existing.clusters[cluster] { sides.append(side) }
      }
      guard let first = sides.first else { continue }
      if sides.contains(where: { $0 != first }) {
        place(index, .training)
        for label in bundles[index].counts.keys {
          notes[label] = "some new examples belong with both training and held-out examples; they are trained on"
        }
      } else {
        place(index, first)
      }
    }
  }

  /// In the order of their ranks, bundles are held out that bring the classes nearer to their targets and hardly past them.
  mutating func placeByRank() {
    for index in bundles.indices where bundles[index].side == nil && leavesTraining(index) {
      let (useful, excess) = effect(index)
      if useful >= 4 * excess, useful > 0 { place(index, .heldOut) }
    }
  }

  /// A class that should hold out something and could not by whole bundles gets the one that overshoots least.
  mutating func placeForEmptyClasses() {
    for label in targets.keys.sorted() where targets[label, default: 0] > 0 && heldOut[label, default: 0] == 0 {
      let candidates = bundles.indices.filter { bundles[$0].side == nil && bundles[$0].counts[label] != nil }
      let possible = candidates.filter(leavesTraining)
      let best = possible.min { left, right in
        let (a, b) = (effect(left), effect(right))
        return (a.excess - a.useful, left) < (b.excess - b.useful, right)
      }
      if let best { place(best, .heldOut) }
    }
    for index in bundles.indices where bundles[index].side == nil { place(index, .training) }
    for label in totals.keys where heldOut[label, default: 0] == 0 && notes[label] == nil {
      notes[label] =
        targets[label] == 0
        ? "fewer than \(HeldOutSplit.smallestClass) examples: all are trained on"
        : "its examples belong together with all others of a class: holding them out would leave none to train on"
    }
    for (label, total) in totals where total == heldOut[label, default: 0] {
      notes[label] = "all its examples belong with held-out examples: none is left to train on"
    }
  }

  // MARK: Bookkeeping

  private mutating func place(_ index: Int, _ side: HeldOutSplit.Side) {
    bundles[index].side = side
    guard side == .heldOut else { return }
    for (label, count) in bundles[index].counts { heldOut[label, default: 0] += count }
  }

  private func leavesTraining(_ index: Int) -> Bool {
    bundles[index].counts.allSatisfy { label, count in
      heldOut[label, default: 0] + count < totals[label, default: 0]
    }
  }

  /// Examples that bring a class nearer to its target, and those past it.
  private func effect(_ index: Int) -> (useful: Int, excess: Int) {
    bundles[index].counts.reduce((0, 0)) { sum, item in
      let need = max(0, targets[item.key, default: 0] - heldOut[item.key, default: 0])
      let useful = min(need, item.value)
      return (sum.0 + useful, sum.1 + item.value - useful)
    }
  }

  /// Joins items by group, cluster and identical content, and sorts the bundles by rank.
  private static func bundles(_ items: [HeldOutSplit.Item]) -> [Bundle] {
    var sets = DisjointSets(count: items.count)
    var groups: [String: Int] = [:]
    var clusters: [Int: Int] = [:]
    var contents: [[UInt8]: Int] = [:]
    for (index, item) in items.enumerated() {
      if let group = item.group { sets.join(index, withFirstOf: group, in: &groups) }
      if let cluster = item.cluster { sets.join(index, withFirstOf: cluster, in: &clusters) }
      sets.join(index, withFirstOf: item.content, in: &contents)
    }
    var bundles: [Bundle] = []
    for (index, (item, label)) in zip(items, sets.labels()).enumerated() {
      if label == bundles.count { bundles.append(Bundle()) }
      let rank = rank(item.content)
      let isFirst = bundles[label].members.isEmpty
      if isFirst || isBefore(rank, item.content, bundles[label].rank, bundles[label].content) {
        bundles[label].rank = rank
        bundles[label].content = item.content
      }
      bundles[label].members.append(index)
      bundles[label].counts[item.label, default: 0] += 1
    }
    return bundles.sorted { isBefore($0.rank, $0.content, $1.rank, $1.content) }
  }

  private static func isBefore(_ a: UInt64, _ contentA: [UInt8], _ b: UInt64, _ contentB: [UInt8]) -> Bool {
    a != b ? a < b : contentA.lexicographicallyPrecedes(contentB)
  }

  /// FNV-1a of the content from the written seed, mixed once more.
  private static func rank(_ content: [UInt8]) -> UInt64 {
    var hash = HeldOutSplit.seed
    for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
    return hash ^ (hash >> 31)
  }
}
