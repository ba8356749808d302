extension Store {
  /// Publishes a version and makes it the active one, with its evaluations and what becomes of its tasks, in one
  /// transaction. Returns the version's id.
  ///
  /// Only the newest `keepVersions` and the active one keep their artifacts, and none that knows something that was
  /// removed; all keep their evaluations. Evaluations and updates of tasks and classes that were deleted meanwhile are
  /// skipped. A task that another pending job waits to teach gets the serving flag of its update only: it stays
  /// `accepted` and gets no event. So does one that would be `ready` but waits to be trained: it stays `training`.
  ///
  /// - Parameters:
  ///   - refined: a task that was taught and is to be trained in the background.
  ///   - retrained: tasks that lost what their training gave, and are to be trained again.
  ///   - finishing: a running job that is done with it.
  ///   - alsoFinishing: other jobs that are done with it where they run.
  /// - Throws: `conflict(.jobEnded)` where the job `finishing` does not run any more;
  ///   `conflict(.removedMeanwhile)` where `version.removalCount` is out of date. Nothing changes then.
  package func publish(
    _ version: NewVersion, taskUpdates: [TaskUpdate] = [], keepVersions: Int = 5,
    refined: Int64? = nil, retrained: [Int64] = [], finishing jobID: Int64? = nil, alsoFinishing jobIDs: [Int64] = []
  ) throws(StorageError) -> Int64 {
    let now = now
    return try write { connection throws(StorageError) in
      if let jobID, try !connection.finishJob(jobID, now: now) { throw .conflict(.jobEnded) }
      for jobID in jobIDs { _ = try connection.finishJob(jobID, now: now) }
      let removalCount = try connection.removalCount()
      if let expected = version.removalCount, removalCount != expected { throw .conflict(.removedMeanwhile) }
      let id = try connection.insert(version, removalCount: removalCount, now: now)
      for update in taskUpdates {
        let waiting = try connection.stateOfWaiting(update.taskID)
        if let waiting, waiting == .accepted || update.state == .ready {
          try connection.execute(
            """
            UPDATE tasks SET state = ?, ready_at = NULL, serving = coalesce(?, serving),
              refinement = coalesce(?, refinement)
            WHERE id = ?
            """,
            [
              .text(waiting.rawValue), update.isServing.map(SQLValue.bool) ?? .null, .optional(update.refinement),
              .integer(update.taskID),
            ])
        } else {
          _ = try connection.apply(update, now: now)
        }
      }
      if let refined, try connection.task(refined) != nil { try connection.enqueueRefining(refined, now: now) }
      for taskID in retrained where try connection.task(taskID) != nil {
        try connection.enqueueRetraining(taskID, now: now)
      }
      if let servingTasks = version.servingTasks {
        try connection.execute("UPDATE tasks SET serving = 0 WHERE serving <> 0")
        for taskID in servingTasks.sorted() {
          try connection.execute("UPDATE tasks SET serving = 1 WHERE id = ?", [.integer(taskID)])
        }
      }
      try connection.collectArtifacts(keepVersions: keepVersions)
      return id
    }
  }

  /// Leaves no version active and no task serving, for when nothing is left to learn from: the artifacts of all
  /// versions are deleted, their evaluations stay. `jobIDs` are done with it where they run.
  package func deactivate(finishing jobIDs: [Int64] = []) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      try connection.execute("UPDATE versions SET active = 0 WHERE active = 1")
      try connection.execute("UPDATE tasks SET serving = 0 WHERE serving <> 0")
      for jobID in jobIDs { _ = try connection.finishJob(jobID, now: now) }
      try connection.collectArtifacts(keepVersions: 0)
    }
  }

  /// Deletes what can be computed again from the examples, which stay: all features and artifacts. No version is active
  /// afterwards; the tasks keep their serving flags, which say what the next version is to be made of. For when a
  /// feature or artifact is damaged. In the same transaction a job of kind `rebuild` follows, and the training of the
  /// tasks `retrained`.
  package func dropDerived(retrained: [Int64] = []) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      try connection.execute("UPDATE versions SET active = 0 WHERE active = 1")
      try connection.execute("DELETE FROM version_artifacts")
      try connection.execute("DELETE FROM checkpoints")
      try connection.execute("DELETE FROM artifacts")
      try connection.execute("DELETE FROM features")
      _ = try connection.enqueueJob(kind: JobKind.rebuild, taskID: nil, now: now)
      for taskID in retrained { try connection.enqueueRetraining(taskID, now: now) }
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
}

extension Connection {
  /// Inserts a version with all of its parts and makes it the active one.
  fileprivate func insert(_ version: NewVersion, removalCount: Int64, now: Int64) throws(StorageError) -> Int64 {
    try execute("UPDATE versions SET active = 0 WHERE active = 1")
    let id = try insert(
      "INSERT INTO versions (created_at, after_task_id, manifest, active, removal_count) VALUES (?, ?, ?, 1, ?)",
      [.integer(now), .optional(version.afterTaskID), .text(version.manifest), .integer(removalCount)])
    for (position, artifact) in version.artifacts.enumerated() {
      try keep(artifact)
      try execute(
        "INSERT INTO version_artifacts (version_id, position, kind, sha256) VALUES (?, ?, ?, ?)",
        [.integer(id), .integer(position), .text(artifact.kind), .blob(artifact.sha256)])
    }
    try insertEvaluations(of: version, id: id)
    return id
  }

  /// Stores an artifact's bytes where they are not stored yet.
  func keep(_ artifact: NewArtifact) throws(StorageError) {
    let hash = SQLValue.blob(artifact.sha256)
    if try firstRow("SELECT 1 FROM artifacts WHERE sha256 = ?", [hash], { _ in true }) != nil { return }
    try execute("INSERT INTO artifacts (sha256, bytes) VALUES (?, ?)", [hash, .blob(artifact.bytes())])
  }

  private func insertEvaluations(of version: NewVersion, id: Int64) throws(StorageError) {
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

  /// Deletes the artifacts of all versions but the active one and the newest `keepVersions` that know nothing that was
  /// removed since.
  func collectArtifacts(keepVersions: Int) throws(StorageError) {
    try execute(
      """
      DELETE FROM version_artifacts WHERE version_id NOT IN (
        SELECT id FROM versions WHERE active = 1
        UNION SELECT id FROM (SELECT id, removal_count FROM versions ORDER BY id DESC LIMIT ?)
        WHERE removal_count = (SELECT value FROM counters WHERE name = 'removals'))
      """, [.integer(max(0, keepVersions))])
    try dropCheckpointsOfEndedJobs()
  }

  /// Deletes the checkpoints of jobs that have ended, and artifacts that nothing refers to.
  func dropCheckpointsOfEndedJobs() throws(StorageError) {
    try execute(
      """
      DELETE FROM checkpoints WHERE NOT EXISTS (
        SELECT 1 FROM jobs WHERE jobs.id = checkpoints.job_id AND state IN ('pending', 'running'))
      """)
    try execute(
      """
      DELETE FROM artifacts
      WHERE NOT EXISTS (SELECT 1 FROM version_artifacts WHERE version_artifacts.sha256 = artifacts.sha256)
        AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE checkpoints.sha256 = artifacts.sha256)
      """)
  }
}
