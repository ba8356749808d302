extension Store {
  /// All examples without their bytes, in order of their ids.
  package func examples() throws(StorageError) -> [ExampleRecord] {
    try read { connection throws(StorageError) in try connection.examples() }
  }

  /// Everything that is learned from, in one snapshot.
  package func trainingSnapshot() throws(StorageError) -> TrainingSnapshot {
    try read { connection throws(StorageError) in
      TrainingSnapshot(
        classes: try connection.classes(), examples: try connection.examples(), tasks: try connection.tasks(),
        removalCount: try connection.removalCount())
    }
  }

  /// The examples that were sent with a task.
  package func examples(of taskID: Int64) throws(StorageError) -> [ExampleRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        "SELECT \(exampleColumns) FROM examples WHERE task_id = ? ORDER BY id", [.integer(taskID)]
      ) { row in row.example }
    }
  }

  /// The examples of a class, whichever task sent them.
  package func examples(ofClass classID: Int64) throws(StorageError) -> [ExampleRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        "SELECT \(exampleColumns) FROM examples WHERE class_id = ? ORDER BY id", [.integer(classID)]
      ) { row in row.example }
    }
  }

  /// The bytes of one example as they were sent, or nil where it does not exist (any more).
  package func exampleBytes(_ id: Int64) throws(StorageError) -> [UInt8]? {
    try read { connection throws(StorageError) in
      try connection.firstRow("SELECT bytes FROM examples WHERE id = ?", [.integer(id)]) { row in row.blob(0) }
    }
  }

  /// How many examples each task (or only `taskID`) sent to each class, in order of tasks, then classes. Reads an index
  /// only: cheap enough to poll.
  package func exampleCounts(of taskID: Int64? = nil) throws(StorageError) -> [ExampleCount] {
    try read { connection throws(StorageError) in
      let condition = taskID == nil ? "" : "WHERE task_id = ?"
      return try connection.rows(
        """
        SELECT task_id, class_id, sum(held_out = 0), sum(held_out <> 0) FROM examples \(condition)
        GROUP BY task_id, class_id ORDER BY task_id, class_id
        """, taskID.map { [.integer($0)] } ?? []
      ) { row in
        ExampleCount(taskID: row.integer(0), classID: row.integer(1), training: row.int(2), heldOut: row.int(3))
      }
    }
  }

  /// How many examples there are.
  package func exampleCount() throws(StorageError) -> Int {
    try read { connection throws(StorageError) in Int(try connection.scalar("SELECT count(*) FROM examples")) }
  }
}

private let exampleColumns = """
  id, task_id, class_id, name, group_name, held_out, sha256, fingerprint, created_at
  """

extension Row {
  fileprivate var example: ExampleRecord {
    ExampleRecord(
      id: integer(0), taskID: integer(1), classID: integer(2), name: optionalText(3), group: optionalText(4),
      isHeldOut: bool(5), sha256: blob(6), fingerprint: optionalBlob(7), createdAt: integer(8))
  }
}

extension Connection {
  func examples() throws(StorageError) -> [ExampleRecord] {
    try rows("SELECT \(exampleColumns) FROM examples ORDER BY id") { row in row.example }
  }
}
