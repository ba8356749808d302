/// Steps of a task and of the job that teaches it, which change together.
extension Store {
  /// Cancels what a task waits for: its pending and running jobs. It is `ready` afterwards if it serves, otherwise
  /// `cancelled`. Returns the task as it is then.
  ///
  /// - Throws: `notFound`; `conflict(.taskAtRest)` when it waits for nothing.
  package func cancelTask(_ id: Int64, event: NewEvent) throws(StorageError) -> TaskRecord {
    let now = now
    return try write { connection throws(StorageError) in
      let task = try connection.requireTask(id)
      guard !task.state.isAtRest else { throw .conflict(.taskAtRest(task.state)) }
      try connection.execute(
        "UPDATE jobs SET state = 'cancelled', updated_at = ? WHERE task_id = ? AND state IN ('pending', 'running')",
        [.integer(now), .integer(id)])
      try connection.dropCheckpointsOfEndedJobs()
      let update = TaskUpdate(
        taskID: id, state: task.isServing ? .ready : .cancelled, isServing: nil, event: event)
      _ = try connection.apply(update, now: now)
      return try connection.requireTask(id)
    }
  }

  /// Marks a task's pending job as running, counts the attempt, and moves the task to `embedding`. Returns false, and
  /// changes nothing, where the job is not pending (any more).
  package func startTeaching(job jobID: Int64, taskID: Int64, event: NewEvent) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      guard try connection.startJob(jobID, of: taskID, now: now) else { return false }
      let update = TaskUpdate(taskID: taskID, state: .embedding, isServing: nil, event: event)
      return try connection.apply(update, now: now)
    }
  }

  /// Records that a running job failed, and its task with it: a task that serves is `ready` with `reason` as its error,
  /// another one `failed`. A task with another pending job goes back to `accepted` with the error and gets no event.
  /// Returns false, and changes nothing, where the job is not running (any more).
  package func failTask(_ id: Int64, job jobID: Int64, reason: String, event: NewEvent) throws(StorageError) -> Bool {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.execute(
        "UPDATE jobs SET state = 'failed', error = ?, updated_at = ? WHERE id = ? AND task_id = ? AND state = 'running'",
        [.text(reason), .integer(now), .integer(jobID), .integer(id)])
      guard connection.changedRows == 1 else { return false }
      try connection.dropCheckpointsOfEndedJobs()
      try connection.failTask(id, reason: reason, event: event, now: now)
      return true
    }
  }

  private static func givenUp(after attempts: Int64) -> String { "it was begun \(attempts) times and never ended" }

  /// Makes the jobs that an end of the process interrupted pending again. Those that were started `maximumAttempts`
  /// times fail, with their tasks like in `failTask` and an event `failed`, so that work which ends the process does
  /// not do so for ever. Call it once after opening, before the first job starts.
  @discardableResult
  package func recoverJobs(maximumAttempts: Int = 5) throws(StorageError) -> RecoveredJobs {
    let now = now
    return try write { connection throws(StorageError) in
      let hopeless = try connection.rows(
        "SELECT id, task_id, attempts FROM jobs WHERE state = 'running' AND attempts >= ? ORDER BY id",
        [.integer(maximumAttempts)]
      ) { row in (id: row.integer(0), taskID: row.optionalInteger(1), attempts: row.integer(2)) }
      for job in hopeless {
        let reason = Self.givenUp(after: job.attempts)
        try connection.execute(
          "UPDATE jobs SET state = 'failed', error = ?, updated_at = ? WHERE id = ?",
          [.text(reason), .integer(now), .integer(job.id)])
      }
      try connection.execute(
        "UPDATE jobs SET state = 'pending', updated_at = ? WHERE state = 'running'", [.integer(now)])
      let pending = connection.changedRows
      // After all jobs have their states: what becomes of a task depends on its other jobs.
      for job in hopeless {
        guard let taskID = job.taskID else { continue }
        let reason = Self.givenUp(after: job.attempts)
        let event = NewEvent(kind: "failed", data: "{\"reason\":\"\(reason)\"}")
        try connection.failTask(taskID, reason: reason, event: event, now: now)
      }
      if !hopeless.isEmpty { try connection.dropCheckpointsOfEndedJobs() }
      return RecoveredJobs(pending: pending, failed: hopeless.count)
    }
  }
}

extension Connection {
  /// Marks a task's pending job as running and counts the attempt. Returns false where it is not pending (any more).
  func startJob(_ jobID: Int64, of taskID: Int64, now: Int64) throws(StorageError) -> Bool {
    try execute(
      """
      UPDATE jobs SET state = 'running', attempts = attempts + 1, error = NULL, updated_at = ?
      WHERE id = ? AND task_id = ? AND state = 'pending'
      """, [.integer(now), .integer(jobID), .integer(taskID)])
    return changedRows == 1
  }

  /// Whether a job waits to teach the task.
  func waitsToBeTaught(_ taskID: Int64) throws(StorageError) -> Bool {
    try hasJob(of: taskID, kind: JobKind.teach, in: "'pending'")
  }

  /// The state of a task that jobs wait for: `accepted` where it is to be taught, `training` where it is to be trained; nil
  /// where none waits.
  func stateOfWaiting(_ taskID: Int64) throws(StorageError) -> TaskState? {
    if try waitsToBeTaught(taskID) { return .accepted }
    return try hasJob(of: taskID, kind: JobKind.refine, in: "'pending'") ? .training : nil
  }

  /// Enqueues the training of a task in the background. Where a job for it waits already that is enough; one that runs
  /// may have begun without what is new.
  func enqueueRefining(_ taskID: Int64, now: Int64) throws(StorageError) {
    if try hasJob(of: taskID, kind: JobKind.refine, in: "'pending'") { return }
    _ = try enqueueJob(kind: JobKind.refine, taskID: taskID, now: now)
  }

  /// Enqueues it for a task that was trained and lost what that gave: it is `training` again. A job that runs is enough
  /// too, since it begins again after a removal.
  func enqueueRetraining(_ taskID: Int64, now: Int64) throws(StorageError) {
    if try hasJob(of: taskID, kind: JobKind.refine, in: "'pending', 'running'") { return }
    _ = try enqueueJob(kind: JobKind.refine, taskID: taskID, now: now)
    if try hasJob(of: taskID, kind: JobKind.teach, in: "'pending', 'running'") { return }
    _ = try apply(
      TaskUpdate(taskID: taskID, state: .training, isServing: nil, event: NewEvent(kind: "live", data: "{}")), now: now)
  }

  private func hasJob(of taskID: Int64, kind: String, in states: String) throws(StorageError) -> Bool {
    try scalar(
      "SELECT EXISTS (SELECT 1 FROM jobs WHERE task_id = ? AND kind = ? AND state IN (\(states)))",
      [.integer(taskID), .text(kind)]) == 1
  }

  fileprivate func failTask(_ id: Int64, reason: String, event: NewEvent, now: Int64) throws(StorageError) {
    let task = try requireTask(id)
    let waiting = try stateOfWaiting(id)
    let state = waiting ?? (task.isServing ? .ready : .failed)
    let update = TaskUpdate(
      taskID: id, state: state, isServing: nil, error: reason, event: waiting == nil ? event : nil)
    _ = try apply(update, now: now)
  }
}
