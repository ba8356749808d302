package import CLModels
package import Storage

/// The matrix R as it was measured: row i has the accuracies after task i, by the last version that ended with it. Tasks
/// are in the order of their ids, and the last row is the version that answers.
package struct AccuracyHistory: Sendable {
  package let tasks: [TaskRecord]
  /// Lower triangular; nil where a task has no held-out examples or was not measured.
  package let cells: [[AccuracyMatrix.Cell?]]
  /// By task, of the newest version.
  package let leaveOneOut: [(correct: Int, total: Int)]

  /// - Parameters:
  ///   - evaluations: at least those of the last version after each task, and those of the active version.
  ///   - active: the version that answers, whose measures are the last row.
  package init(tasks: [TaskRecord], evaluations: [EvaluationRecord], active: Int64?) {
    let live = tasks.filter(\.isServing).sorted { $0.id < $1.id }
    var lastVersion: [Int64: Int64] = [:]
    var byVersion: [Int64: [Int64: Counts]] = [:]
    for evaluation in evaluations {
      byVersion[evaluation.versionID, default: [:]][evaluation.taskID] = evaluation.counts
      guard let after = evaluation.afterTaskID else { continue }
      lastVersion[after] = max(lastVersion[after] ?? 0, evaluation.versionID)
    }
    self.tasks = live
    cells = live.indices.map { row in
      let version = row == live.count - 1 ? active : lastVersion[live[row].id]
      let counts = version.flatMap { byVersion[$0] } ?? [:]
      return live[...row].map { task in
        guard let measured = counts[task.id], measured.total > 0 else { return nil }
        return AccuracyMatrix.Cell(correct: measured.correct, total: measured.total)
      }
    }
    let newest = active.flatMap { byVersion[$0] } ?? [:]
    leaveOneOut = live.map { task in
      (newest[task.id]?.leaveOneOutCorrect ?? 0, newest[task.id]?.leaveOneOutTotal ?? 0)
    }
  }

  package var matrix: AccuracyMatrix { AccuracyMatrix(rows: cells) }
}
