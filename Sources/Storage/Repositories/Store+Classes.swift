extension Store {
  /// All classes, oldest first, with their numbers of examples.
  package func classes() throws(StorageError) -> [ClassRecord] {
    try read { connection throws(StorageError) in try connection.classes() }
  }

  /// The classes that a task brought, oldest first.
  package func classes(of taskID: Int64) throws(StorageError) -> [ClassRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(classQuery) WHERE task_id = ? ORDER BY id", [.integer(taskID)]) { row in row.classRecord }
    }
  }

  /// The class, or nil.
  package func classRecord(_ id: Int64) throws(StorageError) -> ClassRecord? {
    try read { connection throws(StorageError) in
      try connection.firstRow("\(classQuery) WHERE id = ?", [.integer(id)]) { row in row.classRecord }
    }
  }

  /// Gives a class another name; nothing is learned anew. Renaming to its own name does nothing.
  /// Throws `notFound`, `conflict(.classNameTaken)`.
  package func renameClass(_ id: Int64, to name: String, actor: String) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      if let holder = try connection.classID(named: name), holder != id { throw .conflict(.classNameTaken(name)) }
      try connection.execute("UPDATE classes SET name = ? WHERE id = ?", [.text(name), .integer(id)])
      guard connection.changedRows == 1 else { throw .notFound(.class, String(id)) }
      try connection.appendAudit(actor: actor, action: "rename class", detail: "{\"id\":\(id)}", now: now)
    }
  }
}

private let classQuery = """
  SELECT id, task_id, name, created_at,
    (SELECT count(*) FROM examples WHERE class_id = classes.id),
    (SELECT count(*) FROM examples WHERE class_id = classes.id AND held_out = 1)
  FROM classes
  """

extension Row {
  fileprivate var classRecord: ClassRecord {
    ClassRecord(
      id: integer(0), taskID: integer(1), name: text(2), createdAt: integer(3), exampleCount: int(4),
      heldOutCount: int(5))
  }
}

extension Connection {
  func classes() throws(StorageError) -> [ClassRecord] {
    try rows("\(classQuery) ORDER BY id") { row in row.classRecord }
  }
}
