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
}

extension Connection {
  func appendEvent(_ event: NewEvent, taskID: Int64, now: Int64) throws(StorageError) -> Int64 {
    try insert(
      "INSERT INTO task_events (task_id, kind, data, created_at) VALUES (?, ?, ?, ?)",
      [.integer(taskID), .text(event.kind), .text(event.data), .integer(now)])
  }
}
