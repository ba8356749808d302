/// One labelled example as it was sent; whether its bytes are an image is not known yet.
package struct IntakeItem: Sendable, Equatable {
  /// The class's name; in NFC, obeys `IntakeLimits.problem(withLabel:)`.
  package var label: String
  /// What the sender calls the item: a path in an archive, a file name; may be empty.
  package var name: String
  package var bytes: [UInt8]
  /// Examples of one group (speaker, source, burst) stay on one side of the held-out split.
  package var group: String?
  /// Nil: let the split decide.
  package var isHeldOut: Bool?

  package init(label: String, name: String, bytes: [UInt8], group: String? = nil, isHeldOut: Bool? = nil) {
    self.label = label
    self.name = name
    self.bytes = bytes
    self.group = group
    self.isHeldOut = isHeldOut
  }
}

/// An item that was not taken; the others go on.
package struct IntakeRejection: Sendable, Codable, Equatable {
  /// Position in the request, from 0.
  package var index: Int
  package var name: String
  package var reason: String

  package init(index: Int, name: String, reason: String) {
    self.index = index
    self.name = name
    self.reason = reason
  }
}

/// What a request to teach holds. Every index from 0 appears once, in `items` or in `rejected`.
package struct Intake: Sendable {
  package var items: [(index: Int, item: IntakeItem)] = []
  package var rejected: [IntakeRejection] = []
  package var name: String?
  package var learner: String?
  /// Share of each class to hold out, 0 ..< 1.
  package var holdout: Double?

  /// Whether the request itself says which items are held out.
  package var namesHeldOut = false

  package init() {}

  var count: Int { items.count + rejected.count }

  /// Counts an item as rejected.
  mutating func reject(_ name: String, _ reason: String) {
    rejected.append(IntakeRejection(index: count, name: name, reason: reason))
  }

  /// Takes an item unless its label, name, group or size breaks a limit of an item. Label and group are brought into
  /// NFC: the same name in another spelling is the same class.
  mutating func add(_ item: IntakeItem, limits: IntakeLimits) {
    var item = item
    item.label = item.label.nfc
    item.group = item.group?.nfc
    let shownName = limits.shortened(item.name)
    if let problem = limits.problem(withLabel: item.label) {
      reject(shownName, "label: \(problem)")
    } else if let group = item.group, let problem = limits.problem(withLabel: group) {
      reject(shownName, "group: \(problem)")
    } else if let problem = limits.problem(withName: item.name) {
      reject(shownName, "name: \(problem)")
    } else if item.bytes.isEmpty {
      reject(shownName, "no bytes")
    } else if item.bytes.count > limits.maximumItemBytes {
      reject(shownName, limits.itemTooLarge(item.bytes.count))
    } else {
      items.append((index: count, item: item))
    }
  }
}

/// Why a whole request was refused.
package enum IntakeError: Error, Equatable, Sendable {
  /// Neither tar (plain, gzip, xz, zstd) nor zip.
  case notAnArchive
  /// The archive ends early or contradicts itself; what was read of it is not used.
  case damagedArchive(String)
  /// No item at all, not even a rejected one.
  case empty
  /// A limit on the whole request; `name` is the one of `IntakeLimits`.
  case limit(name: String, limit: Int)
  case malformedJSON(String)
  /// A setting that is not valid.
  case field(name: String, reason: String)
}
