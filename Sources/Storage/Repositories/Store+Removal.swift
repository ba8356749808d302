extension Store {
  /// Forgets a task: its classes, its examples, those that other tasks added to its classes, their features, its
  /// evaluations, events and jobs. Writes the audit row, and with `jobKind` the job that trains again, in the same
  /// transaction. Throws `notFound`.
  package func deleteTask(
    _ id: Int64, actor: String, jobKind: String? = JobKind.rebuild
  ) throws(StorageError) -> Removed {
    try remove(actor: actor, action: "delete task", noun: .task, id: id, jobKind: jobKind) {
      connection throws(StorageError) in
      guard try connection.task(id) != nil else { return nil }
      let classes = try connection.ids("SELECT id FROM classes WHERE task_id = ? ORDER BY id", id)
      let examples = try connection.ids(
        """
        SELECT id FROM examples WHERE task_id = ?1
        UNION SELECT id FROM examples WHERE class_id IN (SELECT id FROM classes WHERE task_id = ?1) ORDER BY id
        """, id)
      try connection.execute("DELETE FROM tasks WHERE id = ?", [.integer(id)])
      return Removed(taskIDs: [id], classIDs: classes, exampleIDs: examples, jobID: nil)
    }
  }

  /// Forgets a class with all of its examples. Its task stays. Throws `notFound`.
  package func deleteClass(
    _ id: Int64, actor: String, jobKind: String? = JobKind.rebuild
  ) throws(StorageError) -> Removed {
    try remove(actor: actor, action: "delete class", noun: .class, id: id, jobKind: jobKind) {
      connection throws(StorageError) in
      let examples = try connection.ids("SELECT id FROM examples WHERE class_id = ? ORDER BY id", id)
      try connection.execute("DELETE FROM classes WHERE id = ?", [.integer(id)])
      guard connection.changedRows == 1 else { return nil }
      return Removed(taskIDs: [], classIDs: [id], exampleIDs: examples, jobID: nil)
    }
  }

  /// Forgets one example. Its class stays, even without examples. Throws `notFound`.
  package func deleteExample(
    _ id: Int64, actor: String, jobKind: String? = JobKind.rebuild
  ) throws(StorageError) -> Removed {
    try remove(actor: actor, action: "delete example", noun: .example, id: id, jobKind: jobKind) {
      connection throws(StorageError) in
      try connection.execute("DELETE FROM examples WHERE id = ?", [.integer(id)])
      guard connection.changedRows == 1 else { return nil }
      return Removed(taskIDs: [], classIDs: [], exampleIDs: [id], jobID: nil)
    }
  }

  /// How many removals there have been. Read it before the training data and hand it to `publish`.
  package func removalCount() throws(StorageError) -> Int64 {
    try read { connection throws(StorageError) in try connection.removalCount() }
  }

  private func remove(
    actor: String, action: String, noun: StoredNoun, id: Int64, jobKind: String?,
    _ body: (Connection) throws(StorageError) -> Removed?
  ) throws(StorageError) -> Removed {
    let now = now
    return try write { connection throws(StorageError) in
      guard let removed = try body(connection) else { throw .notFound(noun, String(id)) }
      try connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'removals'")
      // Inactive versions hold features of what was removed. The active one answers until the next is published,
      // which deletes its artifacts.
      try connection.collectArtifacts(keepVersions: 0)
      try connection.appendAudit(
        actor: actor, action: action,
        detail: "{\"id\":\(id),\"classes\":\(removed.classIDs.count),\"examples\":\(removed.exampleIDs.count)}",
        now: now)
      guard let jobKind else { return removed }
      let jobID = try connection.enqueueJob(kind: jobKind, taskID: nil, now: now)
      return Removed(
        taskIDs: removed.taskIDs, classIDs: removed.classIDs, exampleIDs: removed.exampleIDs, jobID: jobID)
    }
  }
}

extension Connection {
  func removalCount() throws(StorageError) -> Int64 {
    try scalar("SELECT value FROM counters WHERE name = 'removals'")
  }

  fileprivate func ids(_ sql: String, _ id: Int64) throws(StorageError) -> [Int64] {
    try rows(sql, [.integer(id)]) { row in row.integer(0) }
  }
}
