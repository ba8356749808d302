package import JSONTree
package import Storage

/// How the active version does on each task.
package struct TaskResults: Sendable {
  private let head: String?
  private let counts: [Int64: Counts]

  package init(_ store: Store) throws(StorageError) {
    let active = try store.activeRecord()
    head = active.flatMap { VersionManifest(json: $0.manifest)?.head }
    var counts: [Int64: Counts] = [:]
    for evaluation in try active.map({ active throws(StorageError) in try store.evaluations(of: active.id) }) ?? [] {
      counts[evaluation.taskID] = evaluation.counts
    }
    self.counts = counts
  }

  /// The heads that were measured on the task's held-out examples, or, where it has none, by leaving one out.
  package func candidates(_ taskID: Int64) -> [JSON] {
    guard let head, let counts = counts[taskID] else { return [] }
    let (correct, total) =
      counts.total > 0 ? (counts.correct, counts.total) : (counts.leaveOneOutCorrect ?? 0, counts.leaveOneOutTotal ?? 0)
    return [
      .object([
        "head": .string(head), "accuracy": total > 0 ? .number(Double(correct) / Double(total)) : .null,
        "measured": .string(counts.total > 0 ? "held-out" : "leave-one-out"), "n": .integer(total), "served": true,
      ])
    ]
  }

  /// Accuracy with n and a 95 % interval, on held-out examples and by leaving one out.
  package func accuracy(_ taskID: Int64) -> JSON {
    guard let counts = counts[taskID] else { return .null }
    return .object([
      "held_out": .proportion(counts.correct, of: counts.total),
      "leave_one_out": .proportion(counts.leaveOneOutCorrect ?? 0, of: counts.leaveOneOutTotal ?? 0),
    ])
  }
}
