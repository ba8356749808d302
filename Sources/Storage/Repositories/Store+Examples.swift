extension Store {
  /// All examples without their bytes, in order of their ids.
  package func examples() throws(StorageError) -> [ExampleRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("SELECT \(exampleColumns) FROM examples ORDER BY id") { row in row.example }
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
