/// Chooses which examples are held out: never trained on, only used to measure.
///
/// A pure function of the examples' content, whatever their order. Examples of one group (a speaker, a source, a burst,
/// also across classes), near-duplicates and identical examples stand on one side, the side their group or cluster was
/// given before.
package enum HeldOutSplit {
  package enum Side: Sendable, Equatable { case training, heldOut }

  package struct Item: Sendable {
    /// The class's number, any integer.
    package let label: Int
    package let group: String?
    /// The example's sha256, as bytes.
    package let content: [UInt8]
    /// Near-duplicates share a number.
    package let cluster: Int?

    package init(label: Int, group: String? = nil, content: [UInt8], cluster: Int? = nil) {
      self.label = label
      self.group = group
      self.content = content
      self.cluster = cluster
    }
  }

  /// What is stored already.
  package struct Existing: Sendable {
    package struct Counts: Sendable, Equatable {
      package var training: Int
      package var heldOut: Int
      package init(training: Int, heldOut: Int) {
        self.training = training
        self.heldOut = heldOut
      }
    }
    package var groups: [String: Side]
    package var clusters: [Int: Side]
    /// By class.
    package var counts: [Int: Counts]

    package init(groups: [String: Side] = [:], clusters: [Int: Side] = [:], counts: [Int: Counts] = [:]) {
      self.groups = groups
      self.clusters = clusters
      self.counts = counts
    }
  }

  package struct Result: Sendable, Equatable {
    /// One an item, in the items' order.
    package let heldOut: [Bool]
    /// By class: why nothing is held out for it, or why a group could not stay on one side.
    package let notes: [Int: String]
  }

  /// A class with fewer examples than this, stored ones included, keeps them all for training.
  package static let smallestClass = 5
  /// Enters every rank: changing it changes which examples are held out.
  package static let seed: UInt64 = 0x636C_7365_7276_6572

  /// Holds out about `fraction` (0..<1) of each class: at least one from `smallestClass` examples up, and never all.
  /// With 0 only what belongs with a held-out example that is there already is held out.
  package static func assign(_ items: [Item], fraction: Double, existing: Existing = Existing()) -> Result {
    if items.isEmpty { return Result(heldOut: [], notes: [:]) }
    var assignment = HeldOutAssignment(items, fraction: fraction, existing: existing)
    assignment.placeKnown()
    if fraction > 0 {
      assignment.placeByRank()
      assignment.placeForEmptyClasses()
    }
    return assignment.result
  }
}
