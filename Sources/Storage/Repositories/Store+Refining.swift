extension Store {
  /// Marks a task's pending job that trains in the background as running, counts the attempt, and moves the task to
  /// `training`. Returns false, and changes nothing, where the job is not pending (any more).
  package func startRefining(job jobID: Int64, taskID: Int64, event: NewEvent) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      guard try connection.startJob(jobID, of: taskID, now: now) else { return false }
      if try connection.waitsToBeTaught(taskID) { return true }
      return try connection.apply(TaskUpdate(taskID: taskID, state: .training, isServing: nil, event: event), now: now)
    }
  }

  /// Keeps where a stage of a running job is: `bytes` as an artifact, and in `note` what they are of. It replaces the
  /// stage's last checkpoint, and the attempt counts as the first again: what makes progress does not fail for being
  /// interrupted. Returns false where the job does not run (any more).
  package func saveCheckpoint(
    job jobID: Int64, stage: String, note: String, bytes: [UInt8]
  ) throws(StorageError) -> Bool {
    let now = now
    let artifact = NewArtifact(kind: "checkpoint", bytes: bytes)
    return try write { connection throws(StorageError) in
      try connection.execute(
        "UPDATE jobs SET attempts = 1, updated_at = ? WHERE id = ? AND state = 'running'",
        [.integer(now), .integer(jobID)])
      guard connection.changedRows == 1 else { return false }
      let earlier = try connection.firstRow(
        "SELECT sha256 FROM checkpoints WHERE job_id = ? AND stage = ?", [.integer(jobID), .text(stage)]
      ) { row in row.blob(0) }
      try connection.keep(artifact)
      try connection.execute(
        "INSERT OR REPLACE INTO checkpoints (job_id, stage, note, sha256, created_at) VALUES (?, ?, ?, ?, ?)",
        [.integer(jobID), .text(stage), .text(note), .blob(artifact.sha256), .integer(now)])
      if let earlier, earlier != artifact.sha256 {
        try connection.execute(
          """
          DELETE FROM artifacts WHERE sha256 = ?1
            AND NOT EXISTS (SELECT 1 FROM version_artifacts WHERE sha256 = ?1)
            AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE sha256 = ?1)
          """, [.blob(earlier)])
      }
      return true
    }
  }

  /// The last checkpoint of a job's stage, or nil. Throws `corrupt` where its bytes are not what was stored.
  package func checkpoint(
    job jobID: Int64, stage: String
  ) throws(StorageError) -> (note: String, bytes: [UInt8])? {
    try read { connection throws(StorageError) in
      let found = try connection.firstRow(
        "SELECT note, sha256, bytes FROM checkpoints JOIN artifacts USING (sha256) WHERE job_id = ? AND stage = ?",
        [.integer(jobID), .text(stage)]
      ) { row in (note: row.text(0), sha256: row.blob(1), bytes: row.blob(2)) }
      guard let found else { return nil }
      guard SHA256.hash(found.bytes) == found.sha256 else {
        throw .corruptValue("the checkpoint of job \(jobID) does not match its SHA-256")
      }
      return (found.note, found.bytes)
    }
  }

  /// Ends a running job that trained in the background without a new version: the task is `ready` with what came of it.
  /// Returns false where the job does not run (any more).
  package func finishRefining(
    job jobID: Int64, taskID: Int64, refinement: String, event: NewEvent
  ) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      guard try connection.finishJob(jobID, now: now) else { return false }
      let waiting = try connection.stateOfWaiting(taskID)
      _ = try connection.apply(
        TaskUpdate(
          taskID: taskID, state: waiting ?? .ready, isServing: nil, event: waiting == nil ? event : nil,
          refinement: refinement), now: now)
      try connection.dropCheckpointsOfEndedJobs()
      return true
    }
  }

  /// Deletes the features made by prompts on a backbone, but for those of the keys that are kept: left over where the
  /// process ended between two writes.
  package func deletePromptFeatures(backboneKey: String, keeping kept: [String]) throws(StorageError) {
    let all = try read { connection throws(StorageError) in
      try connection.rows(
        "SELECT DISTINCT backbone_key FROM features WHERE backbone_key > ? AND backbone_key < ?",
        [.text(backboneKey + ":"), .text(backboneKey + ";")]
      ) { row in row.text(0) }
    }
    try deleteFeatures(backboneKeys: all.filter { !kept.contains($0) })
  }

  /// Deletes the features made with these keys.
  package func deleteFeatures(backboneKeys: [String]) throws(StorageError) {
    guard !backboneKeys.isEmpty else { return }
    try write { connection throws(StorageError) in
      for key in backboneKeys {
        try connection.execute("DELETE FROM features WHERE backbone_key = ?", [.text(key)])
      }
    }
  }
}
