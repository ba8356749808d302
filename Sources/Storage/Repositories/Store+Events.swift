extension Store {
  /// Appends an event and returns its id. Throws `notFound`.
  package func appendEvent(taskID: Int64, kind: String, data: String) throws(StorageError) -> Int64 {
    let now = now
    return try write { connection throws(StorageError) in
      _ = try connection.requireTask(taskID)
      return try connection.appendEvent(NewEvent(kind: kind, data: data), taskID: taskID, now: now)
    }
  }

  /// Up to `limit` events of a task with ids above `after`, oldest first.
  package func events(of taskID: Int64, after: Int64 = 0, limit: Int = 1_000) throws(StorageError) -> [EventRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        """
        SELECT id, task_id, kind, data, created_at FROM task_events
        WHERE task_id = ? AND id > ? ORDER BY id LIMIT ?
        """, [.integer(taskID), .integer(after), .integer(max(0, limit))]
      ) { row in
        EventRecord(
          id: row.integer(0), taskID: row.integer(1), kind: row.text(2), data: row.text(3), createdAt: row.integer(4))
      }
    }
  }

  /// Deletes what nobody asks for any more from before `time` (milliseconds since 1970): the events of tasks at rest,
  /// except each task's last one, and jobs that ended. Returns how many rows.
  @discardableResult
  package func pruneEvents(olderThan time: Int64) throws(StorageError) -> Int {
    try write { connection throws(StorageError) in
      try connection.execute(
        """
        DELETE FROM task_events
        WHERE created_at < ? AND task_id IN (SELECT id FROM tasks WHERE state IN ('ready', 'failed', 'cancelled'))
          AND id < (SELECT max(id) FROM task_events AS newer WHERE newer.task_id = task_events.task_id)
        """, [.integer(time)])
      let events = connection.changedRows
      try connection.execute(
        "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND updated_at < ?", [.integer(time)])
      return events + connection.changedRows
    }
  }
}

extension Connection {
  func appendEvent(_ event: NewEvent, taskID: Int64, now: Int64) throws(StorageError) -> Int64 {
    try insert(
      "INSERT INTO task_events (task_id, kind, data, created_at) VALUES (?, ?, ?, ?)",
      [.integer(taskID), .text(event.kind), .text(event.data), .integer(now)])
  }
}
