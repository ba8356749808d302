extension Store {
  /// Publishes a version and makes it the active one, with its evaluations and what becomes of its tasks, in one
  /// transaction. Only the newest `keepVersions` and the active one keep their artifacts; all keep their evaluations.
  /// Evaluations and updates of tasks and classes that were deleted meanwhile are skipped. Returns the version's id.
  ///
  /// - Parameter finishing: a running job that is done with it.
  /// - Throws: `conflict(.removedMeanwhile)` where `version.removalCount` is out of date.
  package func publish(
    _ version: NewVersion, taskUpdates: [TaskUpdate] = [], keepVersions: Int = 5, finishing jobID: Int64? = nil
  ) throws(StorageError) -> Int64 {
    let now = now
    return try write { connection throws(StorageError) in
      if let expected = version.removalCount, try connection.removalCount() != expected {
        throw .conflict(.removedMeanwhile)
      }
      try connection.execute("UPDATE versions SET active = 0 WHERE active = 1")
      let id = try connection.insert(
        "INSERT INTO versions (created_at, after_task_id, manifest, active) VALUES (?, ?, ?, 1)",
        [.integer(now), .optional(version.afterTaskID), .text(version.manifest)])
      for (position, artifact) in version.artifacts.enumerated() {
        try connection.execute(
          "INSERT INTO artifacts (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING",
          [.blob(artifact.sha256), .blob(artifact.bytes)])
        try connection.execute(
          "INSERT INTO version_artifacts (version_id, position, kind, sha256) VALUES (?, ?, ?, ?)",
          [.integer(id), .integer(position), .text(artifact.kind), .blob(artifact.sha256)])
      }
      try connection.insertEvaluations(of: version, id: id)
      for update in taskUpdates { _ = try connection.apply(update, now: now) }
      if let jobID {
        try connection.execute(
          "UPDATE jobs SET state = 'done', updated_at = ? WHERE id = ? AND state = 'running'",
          [.integer(now), .integer(jobID)])
      }
      try connection.collectArtifacts(keepVersions: keepVersions)
      return id
    }
  }

  /// Makes an earlier version the active one. Throws `notFound`, `conflict(.artifactsGone)`.
  package func activateVersion(_ id: Int64, actor: String) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      guard let version = try connection.version(id) else { throw .notFound(.version, String(id)) }
      guard version.hasArtifacts else { throw .conflict(.artifactsGone(version: id)) }
      try connection.execute("UPDATE versions SET active = 0 WHERE active = 1")
      try connection.execute("UPDATE versions SET active = 1 WHERE id = ?", [.integer(id)])
      try connection.appendAudit(actor: actor, action: "activate version", detail: "{\"id\":\(id)}", now: now)
    }
  }

  /// The version that answers, with its artifacts, or nil before the first. Throws `corrupt` where an artifact is
  /// not what was stored.
  package func activeVersion() throws(StorageError) -> LoadedVersion? {
    try read { connection throws(StorageError) in
      try connection.loadedVersion("WHERE active = 1", [])
    }
  }

  /// A version with its artifacts, or nil. Throws `corrupt` like `activeVersion`.
  package func version(_ id: Int64) throws(StorageError) -> LoadedVersion? {
    try read { connection throws(StorageError) in
      try connection.loadedVersion("WHERE id = ?", [.integer(id)])
    }
  }

  /// The newest versions, newest first, without artifacts.
  package func versions(limit: Int = 100) throws(StorageError) -> [VersionRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(versionQuery) ORDER BY id DESC LIMIT ?", [.integer(max(0, limit))]) { row in
        row.version
      }
    }
  }

  /// Every cell of the accuracy matrix, in order of versions, then tasks.
  package func evaluations() throws(StorageError) -> [EvaluationRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        """
        SELECT version_id, after_task_id, task_id, correct, total, loo_correct, loo_total, note
        FROM evaluations JOIN versions ON versions.id = version_id ORDER BY version_id, task_id
        """
      ) { row in
        EvaluationRecord(
          versionID: row.integer(0), afterTaskID: row.optionalInteger(1), taskID: row.integer(2),
          counts: row.counts(from: 3), note: row.optionalText(7))
      }
    }
  }

  /// The accuracy of every class under one version, in order of classes.
  package func classEvaluations(of versionID: Int64) throws(StorageError) -> [ClassEvaluationRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        """
        SELECT class_id, correct, total, loo_correct, loo_total FROM class_evaluations
        WHERE version_id = ? ORDER BY class_id
        """, [.integer(versionID)]
      ) { row in
        ClassEvaluationRecord(versionID: versionID, classID: row.integer(0), counts: row.counts(from: 1))
      }
    }
  }
}

private let versionQuery = """
  SELECT id, created_at, after_task_id, manifest, active,
    EXISTS (SELECT 1 FROM version_artifacts WHERE version_id = versions.id)
  FROM versions
  """

extension Row {
  fileprivate var version: VersionRecord {
    VersionRecord(
      id: integer(0), createdAt: integer(1), afterTaskID: optionalInteger(2), manifest: text(3), isActive: bool(4),
      hasArtifacts: bool(5))
  }

  fileprivate func counts(from column: Int32) -> Counts {
    Counts(
      correct: int(column), total: int(column + 1), leaveOneOutCorrect: optionalInt(column + 2),
      leaveOneOutTotal: optionalInt(column + 3))
  }
}

extension Connection {
  fileprivate func version(_ id: Int64) throws(StorageError) -> VersionRecord? {
    try firstRow("\(versionQuery) WHERE id = ?", [.integer(id)]) { row in row.version }
  }

  fileprivate func loadedVersion(
    _ condition: String, _ arguments: [SQLValue]
  ) throws(StorageError) -> LoadedVersion? {
    guard let record = try firstRow("\(versionQuery) \(condition)", arguments, { row in row.version }) else {
      return nil
    }
    let artifacts = try rows(
      """
      SELECT version_artifacts.kind, artifacts.sha256, artifacts.bytes
      FROM version_artifacts JOIN artifacts USING (sha256) WHERE version_id = ? ORDER BY position
      """, [.integer(record.id)]
    ) { row in Artifact(kind: row.text(0), bytes: row.blob(2), sha256: row.blob(1)) }
    for artifact in artifacts where SHA256.hash(artifact.bytes) != artifact.sha256 {
      throw .corruptValue("artifact \(artifact.kind) of version \(record.id) does not match its SHA-256")
    }
    return LoadedVersion(record: record, artifacts: artifacts)
  }

  fileprivate func insertEvaluations(of version: NewVersion, id: Int64) throws(StorageError) {
    for (taskID, counts, note) in version.evaluations {
      try execute(
        """
        INSERT INTO evaluations (version_id, task_id, correct, total, loo_correct, loo_total, note)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM tasks WHERE id = ?2)
        """,
        [
          .integer(id), .integer(taskID), .integer(counts.correct), .integer(counts.total),
          .optional(counts.leaveOneOutCorrect), .optional(counts.leaveOneOutTotal), .optional(note),
        ])
    }
    for (classID, counts) in version.classEvaluations {
      try execute(
        """
        INSERT INTO class_evaluations (version_id, class_id, correct, total, loo_correct, loo_total)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM classes WHERE id = ?2)
        """,
        [
          .integer(id), .integer(classID), .integer(counts.correct), .integer(counts.total),
          .optional(counts.leaveOneOutCorrect), .optional(counts.leaveOneOutTotal),
        ])
    }
  }

  /// Forgets the artifacts of all versions but the newest `keepVersions` and the active one.
  fileprivate func collectArtifacts(keepVersions: Int) throws(StorageError) {
    try execute(
      """
      DELETE FROM version_artifacts WHERE version_id NOT IN (
        SELECT id FROM versions WHERE active = 1
        UNION SELECT id FROM (SELECT id FROM versions ORDER BY id DESC LIMIT ?))
      """, [.integer(max(0, keepVersions))])
    try execute(
      """
      DELETE FROM artifacts
      WHERE NOT EXISTS (SELECT 1 FROM version_artifacts WHERE version_artifacts.sha256 = artifacts.sha256)
      """)
  }
}
