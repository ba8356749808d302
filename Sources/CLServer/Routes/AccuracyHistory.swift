package import CLModels
package import Storage

/// The matrix R as it was measured: row i has the accuracies after task i, by the last version that ended with it.
package struct AccuracyHistory: Sendable {
  package let tasks: [TaskRecord]
  /// Lower triangular; nil where a task has no held-out examples or was not measured.
  package let cells: [[AccuracyMatrix.Cell?]]
  /// By task, of the newest version.
  package let leaveOneOut: [(correct: Int, total: Int)]

  package init(tasks: [TaskRecord], evaluations: [EvaluationRecord]) {
    let live = tasks.filter(\.isServing).sorted { $0.id < $1.id }
    var lastVersion: [Int64: Int64] = [:]
    for evaluation in evaluations {
      guard let after = evaluation.afterTaskID else { continue }
      lastVersion[after] = max(lastVersion[after] ?? 0, evaluation.versionID)
    }
    var byVersion: [Int64: [Int64: Counts]] = [:]
    for evaluation in evaluations {
      byVersion[evaluation.versionID, default: [:]][evaluation.taskID] = evaluation.counts
    }

    self.tasks = live
    cells = live.indices.map { row in
      let counts = lastVersion[live[row].id].flatMap { byVersion[$0] } ?? [:]
      return live[...row].map { task in
        guard let measured = counts[task.id], measured.total > 0 else { return nil }
        return AccuracyMatrix.Cell(correct: measured.correct, total: measured.total)
      }
    }
    let newest = byVersion.keys.max().flatMap { byVersion[$0] } ?? [:]
    leaveOneOut = live.map { task in
      (newest[task.id]?.leaveOneOutCorrect ?? 0, newest[task.id]?.leaveOneOutTotal ?? 0)
    }
  }

  package var matrix: AccuracyMatrix { AccuracyMatrix(rows: cells) }
}
