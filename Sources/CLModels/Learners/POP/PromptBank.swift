/// All prompts that a version answers with: one group a task, in the order they were learned, and the global group.
///
/// A task's group is never changed again; the global one, which reads them all, is learned anew with every task.
package struct PromptBank: Sendable, Equatable {
  package struct Group: Sendable, Equatable {
    /// The task it was learned for; for the global group the latest one.
    package let taskID: Int64
    package let rows: Int
    /// See `PromptLayout.parameterCount`.
    package let parameters: [Float]
    /// Ids of the examples it was trained on, rising.
    package let examples: [Int64]

    package init(taskID: Int64, rows: Int, parameters: [Float], examples: [Int64]) {
      self.taskID = taskID
      self.rows = rows
      self.parameters = parameters
      self.examples = examples.sorted()
    }
  }

  package let isDeep: Bool
  package private(set) var tasks: [Group]
  package private(set) var global: Group?

  package init(isDeep: Bool, tasks: [Group] = [], global: Group? = nil) {
    self.isDeep = isDeep
    self.tasks = tasks
    self.global = global
  }

  package var isEmpty: Bool { tasks.isEmpty && global == nil }

  /// With one more task, and another global group.
  package func learning(_ group: Group?, global: Group) -> PromptBank {
    let others = tasks.filter { $0.taskID != group?.taskID }
    return PromptBank(isDeep: isDeep, tasks: others + (group.map { [$0] } ?? []), global: global)
  }

  /// Without every group that was trained on an example that is not in `known`. The global group goes with any other,
  /// because it was trained to read it.
  package func keeping(_ known: Set<Int64>) -> PromptBank {
    func isKept(_ group: Group) -> Bool { group.examples.allSatisfy(known.contains) }
    let kept = tasks.filter(isKept)
    let keepsGlobal = kept.count == tasks.count && global.map(isKept) == true
    return PromptBank(isDeep: isDeep, tasks: kept, global: keepsGlobal ? global : nil)
  }

  /// The task groups, then the global one.
  package var groups: [Group] { tasks + (global.map { [$0] } ?? []) }

  package var layout: PromptLayout {
    PromptLayout(
      groups: tasks.map { .init(rows: $0.rows, readsTasks: false) }
        + (global.map { [.init(rows: $0.rows, readsTasks: true)] } ?? []), isDeep: isDeep)
  }

  /// Of all groups in the layout's order.
  package var parameters: [Float] { groups.flatMap(\.parameters) }
}

// MARK: As bytes

extension PromptBank {
  private static let magic = Array("CLSP".utf8)
  private static let format: UInt32 = 1

  /// "CLSP", a format number, whether deep, how many task groups, whether a global one; then a group after the other:
  /// task, rows, how many numbers and examples, the numbers, the ids. Little-endian.
  package func encoded() -> [UInt8] {
    var writer = ByteWriter(Self.magic)
    writer.append(Self.format)
    writer.append(UInt32(isDeep ? 1 : 0))
    writer.append(UInt32(tasks.count))
    writer.append(UInt32(global == nil ? 0 : 1))
    for group in groups { writer.append(group) }
    return writer.bytes
  }

  /// Throws `unreadable`; sizes are checked before memory is taken, numbers must be finite.
  package init(_ bytes: [UInt8]) throws(LearnerError) {
    var reader = ByteReader(bytes)
    guard try reader.take(4) == Self.magic[...] else { throw .unreadable("it does not begin as prompts do") }
    let format: UInt32 = try reader.integer()
    guard format == Self.format else { throw .unreadable("format \(format) is unknown") }
    let deep: UInt32 = try reader.integer()
    let count: UInt32 = try reader.integer()
    let globals: UInt32 = try reader.integer()
    guard deep <= 1, globals <= 1 else { throw .unreadable("a switch is neither on nor off") }
    var tasks: [Group] = []
    for _ in 0..<count { tasks.append(try reader.group()) }
    let global = globals == 1 ? try reader.group() : nil
    guard reader.isAtEnd else { throw .unreadable("bytes are left over") }
    self.init(isDeep: deep == 1, tasks: tasks, global: global)
  }

  /// Whether the groups are of this backbone's shape.
  package func fits(_ description: BackboneDescription) -> Bool {
    groups.allSatisfy {
      $0.parameters.count
        == PromptLayout.parameterCount(
          rows: $0.rows, width: description.width, blocks: description.blocks, isDeep: isDeep)
    }
  }

  /// A group as bytes: what its features depend on, besides the groups it reads.
  package static func encoded(_ group: Group, isDeep: Bool) -> [UInt8] {
    var writer = ByteWriter(isDeep ? [1] : [0])
    writer.append(UInt64(group.rows))
    writer.append(floats: group.parameters)
    return writer.bytes
  }
}

extension ByteWriter {
  fileprivate mutating func append(_ group: PromptBank.Group) {
    append(group.taskID)
    append(UInt64(group.rows))
    append(UInt64(group.parameters.count))
    append(UInt64(group.examples.count))
    append(floats: group.parameters)
    for id in group.examples { append(id) }
  }
}

extension ByteReader {
  fileprivate mutating func group() throws(LearnerError) -> PromptBank.Group {
    let task: Int64 = try integer()
    let rows: UInt64 = try integer()
    let count: UInt64 = try integer()
    let examples: UInt64 = try integer()
    guard rows > 0, rows <= 4096 else { throw .unreadable("a group has \(rows) rows") }
    let parameters = try floats(count)
    return PromptBank.Group(taskID: task, rows: Int(rows), parameters: parameters, examples: try ids(examples))
  }
}
