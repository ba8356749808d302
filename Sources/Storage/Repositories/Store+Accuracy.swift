extension Store {
  /// The accuracy of one version by task, in order of tasks. Cheap enough to poll.
  package func evaluations(of versionID: Int64) throws(StorageError) -> [EvaluationRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(evaluationQuery) WHERE version_id = ? ORDER BY task_id", [.integer(versionID)]) { row in
        row.evaluation
      }
    }
  }

  /// The accuracy of every class under one version, in order of classes.
  package func classEvaluations(of versionID: Int64) throws(StorageError) -> [ClassEvaluationRecord] {
    try read { connection throws(StorageError) in try connection.classEvaluations(of: versionID) }
  }

  /// Everything that accuracy is reported from, in one snapshot.
  package func accuracySnapshot() throws(StorageError) -> AccuracySnapshot {
    try read { connection throws(StorageError) in
      let active = try connection.activeRecord()
      let evaluations = try connection.rows(
        """
        \(evaluationQuery)
        WHERE version_id IN (
          SELECT max(id) FROM versions WHERE after_task_id IS NOT NULL GROUP BY after_task_id
          UNION SELECT id FROM versions WHERE active = 1)
        ORDER BY version_id, task_id
        """
      ) { row in row.evaluation }
      return AccuracySnapshot(
        active: active, tasks: try connection.tasks(), classes: try connection.classes(), evaluations: evaluations,
        classEvaluations: try active.map { record throws(StorageError) in
          try connection.classEvaluations(of: record.id)
        } ?? [])
    }
  }
}

private let evaluationQuery = """
  SELECT version_id, after_task_id, task_id, correct, total, loo_correct, loo_total, note
  FROM evaluations JOIN versions ON versions.id = version_id
  """

extension Row {
  fileprivate var evaluation: EvaluationRecord {
    EvaluationRecord(
      versionID: integer(0), afterTaskID: optionalInteger(1), taskID: integer(2), counts: counts(from: 3),
      note: optionalText(7))
  }

  fileprivate func counts(from column: Int32) -> Counts {
    Counts(
      correct: int(column), total: int(column + 1), leaveOneOutCorrect: optionalInt(column + 2),
      leaveOneOutTotal: optionalInt(column + 3))
  }
}

extension Connection {
  fileprivate func classEvaluations(of versionID: Int64) throws(StorageError) -> [ClassEvaluationRecord] {
    try rows(
      """
      SELECT class_id, correct, total, loo_correct, loo_total FROM class_evaluations
      WHERE version_id = ? ORDER BY class_id
      """, [.integer(versionID)]
    ) { row in
      ClassEvaluationRecord(versionID: versionID, classID: row.integer(0), counts: row.counts(from: 1))
    }
  }
}
