extension Store {
  /// Adds a pending job and returns its id. Throws `notFound` where the task does not exist.
  package func enqueueJob(kind: String, taskID: Int64? = nil) throws(StorageError) -> Int64 {
    let now = now
    return try write { connection throws(StorageError) in
      if let taskID { _ = try connection.requireTask(taskID) }
      return try connection.enqueueJob(kind: kind, taskID: taskID, now: now)
    }
  }

  /// The pending jobs in the order they are to run.
  package func pendingJobs() throws(StorageError) -> [JobRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(jobQuery) WHERE state = 'pending' ORDER BY id") { row throws(StorageError) in
        try row.job()
      }
    }
  }

  /// All jobs of a task, oldest first.
  package func jobs(of taskID: Int64) throws(StorageError) -> [JobRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(jobQuery) WHERE task_id = ? ORDER BY id", [.integer(taskID)]) {
        row throws(StorageError) in
        try row.job()
      }
    }
  }

  /// The job, or nil: a job goes with its task.
  package func job(_ id: Int64) throws(StorageError) -> JobRecord? {
    try read { connection throws(StorageError) in
      try connection.firstRow("\(jobQuery) WHERE id = ?", [.integer(id)]) { row throws(StorageError) in
        try row.job()
      }
    }
  }

  /// Marks a pending job as running and counts the attempt. Returns false where it is not pending (any more).
  package func startJob(_ id: Int64) throws(StorageError) -> Bool {
    try change(id, "SET state = 'running', attempts = attempts + 1, error = NULL, updated_at = ?", from: "pending")
  }

  /// Marks a running job as done. Returns false where it is not running (cancelled, or gone with its task).
  @discardableResult
  package func finishJob(_ id: Int64) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in try connection.finishJob(id, now: now) }
  }

  /// Makes a running job pending again as if it had not been started, for when the process stops in order. Returns
  /// false where it is not running.
  @discardableResult
  package func releaseJob(_ id: Int64) throws(StorageError) -> Bool {
    try change(id, "SET state = 'pending', attempts = attempts - 1, updated_at = ?", from: "running")
  }

  /// Makes all running jobs pending again; their attempts do not count. For when a write failed, which is no fault of
  /// theirs.
  package func releaseJobs() throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      try connection.execute(
        "UPDATE jobs SET state = 'pending', attempts = max(0, attempts - 1), updated_at = ? WHERE state = 'running'",
        [.integer(now)])
    }
  }

  /// Records a running job's failure. Returns false where it is not running.
  @discardableResult
  package func failJob(_ id: Int64, error: String) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.execute(
        """
        UPDATE jobs SET state = 'failed', error = ?, updated_at = ? WHERE id = ? AND state = 'running'
        """,
        [.text(error), .integer(now), .integer(id)])
      return connection.changedRows == 1
    }
  }

  /// Cancels one pending or running job. Returns false where it had ended.
  @discardableResult
  package func cancelJob(_ id: Int64) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.execute(
        "UPDATE jobs SET state = 'cancelled', updated_at = ? WHERE id = ? AND state IN ('pending', 'running')",
        [.integer(now), .integer(id)])
      return connection.changedRows == 1
    }
  }

  private func change(_ id: Int64, _ set: String, from state: String) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.execute(
        "UPDATE jobs \(set) WHERE id = ? AND state = ?", [.integer(now), .integer(id), .text(state)])
      return connection.changedRows == 1
    }
  }
}

private let jobQuery = "SELECT id, kind, task_id, state, attempts, error, created_at, updated_at FROM jobs"

extension Row {
  fileprivate func job() throws(StorageError) -> JobRecord {
    guard let state = JobState(rawValue: text(3)) else { throw .corruptValue("unknown job state \(text(3))") }
    return JobRecord(
      id: integer(0), kind: text(1), taskID: optionalInteger(2), state: state, attempts: int(4),
      error: optionalText(5), createdAt: integer(6), updatedAt: integer(7))
  }
}

extension Connection {
  /// Returns false where the job is not running.
  func finishJob(_ id: Int64, now: Int64) throws(StorageError) -> Bool {
    try execute(
      "UPDATE jobs SET state = 'done', updated_at = ? WHERE id = ? AND state = 'running'",
      [.integer(now), .integer(id)])
    return changedRows == 1
  }

  func enqueueJob(kind: String, taskID: Int64?, now: Int64) throws(StorageError) -> Int64 {
    try insert(
      "INSERT INTO jobs (kind, task_id, state, created_at, updated_at) VALUES (?, ?, 'pending', ?, ?)",
      [.text(kind), .optional(taskID), .integer(now), .integer(now)])
  }
}
