extension Store {
  /// Stores a task with its classes, examples, job, first event and idempotency record in one transaction. When it
  /// returns, the task is on disk and its job will run, whatever happens to the process.
  ///
  /// - Throws: `conflict(.labelsExist)` when a label exists and the task does not extend existing classes,
  ///   `conflict(.idempotencyKeyUsed)` when an equal request was accepted meanwhile.
  package func acceptTask(
    _ task: NewTask, idempotency: IdempotencyEntry<AcceptedTask>? = nil
  ) throws(StorageError) -> AcceptedTask {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.checkUnused(idempotency)
      if !task.extendExisting {
        var taken: [String] = []
        for label in task.examples.distinctLabels() where try connection.classID(named: label) != nil {
          taken.append(label)
        }
        guard taken.isEmpty else { throw .conflict(.labelsExist(taken)) }
      }
      let taskID = try connection.insert(
        """
        INSERT INTO tasks (name, learner, state, holdout, settings, extend_existing, created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        [
          .text(task.name), .text(task.learner), .text(TaskState.accepted.rawValue), .optional(task.holdout),
          .optional(task.settings), .bool(task.extendExisting), .integer(now),
        ])
      let added = try connection.addExamples(task.examples, rejected: task.rejected, to: taskID, now: now)
      let jobID = try connection.enqueueJob(kind: task.jobKind, taskID: taskID, now: now)
      _ = try connection.appendEvent(task.event, taskID: taskID, now: now)
      let accepted = AcceptedTask(
        task: try connection.requireTask(taskID), jobID: jobID, classIDs: added.classIDs,
        exampleIDs: added.exampleIDs)
      try connection.record(idempotency, outcome: accepted, now: now)
      return accepted
    }
  }

  /// Adds examples to a task, with a job that learns them; the task goes back to `accepted` and serves on meanwhile.
  ///
  /// - Parameter extendExisting: this request may extend other tasks' classes, as if the task had been told to.
  /// - Throws: `notFound`; `conflict(.labelsExist)` for labels of another task's classes, unless the task or the request
  ///   extends existing classes; `conflict(.idempotencyKeyUsed)`.
  package func addExamples(
    to taskID: Int64, _ examples: [NewExample], rejected: [RejectedItem] = [], jobKind: String = JobKind.teach,
    event: NewEvent = NewEvent(kind: "accepted", data: "{}"), extendExisting: Bool = false,
    idempotency: IdempotencyEntry<AddedExamples>? = nil
  ) throws(StorageError) -> AddedExamples {
    let now = now
    return try write { connection throws(StorageError) in
      try connection.checkUnused(idempotency)
      let task = try connection.requireTask(taskID)
      if !task.extendExisting && !extendExisting {
        var foreign: [String] = []
        for label in examples.distinctLabels() {
          if let owner = try connection.owner(ofClassNamed: label), owner != taskID { foreign.append(label) }
        }
        guard foreign.isEmpty else { throw .conflict(.labelsExist(foreign)) }
      }
      let added = try connection.addExamples(examples, rejected: rejected, to: taskID, now: now)
      try connection.execute(
        "UPDATE tasks SET state = ?, error = NULL, ready_at = NULL WHERE id = ?",
        [.text(TaskState.accepted.rawValue), .integer(taskID)])
      let jobID = try connection.enqueueJob(kind: jobKind, taskID: taskID, now: now)
      _ = try connection.appendEvent(event, taskID: taskID, now: now)
      let outcome = AddedExamples(
        task: try connection.requireTask(taskID), jobID: jobID, classIDs: added.classIDs,
        exampleIDs: added.exampleIDs)
      try connection.record(idempotency, outcome: outcome, now: now)
      return outcome
    }
  }

  /// The task, or nil.
  package func task(_ id: Int64) throws(StorageError) -> TaskRecord? {
    try read { connection throws(StorageError) in try connection.task(id) }
  }

  /// All tasks, oldest first.
  package func tasks() throws(StorageError) -> [TaskRecord] {
    try read { connection throws(StorageError) in try connection.tasks() }
  }
}

private let taskColumns = """
  id, name, learner, state, serving, holdout, settings, extend_existing, error, created_at, ready_at, refinement
  """

extension Row {
  fileprivate var rejectedItem: RejectedItem {
    RejectedItem(index: int(1), name: optionalText(2), reason: text(3))
  }

  fileprivate func task(rejected: [RejectedItem]) throws(StorageError) -> TaskRecord {
    guard let state = TaskState(rawValue: text(3)) else { throw .corruptValue("unknown task state \(text(3))") }
    return TaskRecord(
      id: integer(0), name: text(1), learner: text(2), state: state, isServing: bool(4), holdout: optionalReal(5),
      settings: optionalText(6), extendExisting: bool(7), error: optionalText(8), rejected: rejected,
      createdAt: integer(9), readyAt: optionalInteger(10), refinement: optionalText(11))
  }
}

extension [NewExample] {
  /// Each label once, in order of first appearance.
  fileprivate func distinctLabels() -> [String] {
    var seen: Set<String> = []
    var labels: [String] = []
    for example in self where seen.insert(example.label).inserted { labels.append(example.label) }
    return labels
  }
}

extension Connection {
  func task(_ id: Int64) throws(StorageError) -> TaskRecord? {
    let rejected = try rows(
      "SELECT task_id, item_index, name, reason FROM rejected_items WHERE task_id = ? ORDER BY id", [.integer(id)]
    ) { row in row.rejectedItem }
    return try firstRow("SELECT \(taskColumns) FROM tasks WHERE id = ?", [.integer(id)]) { row throws(StorageError) in
      try row.task(rejected: rejected)
    }
  }

  func tasks() throws(StorageError) -> [TaskRecord] {
    var rejected: [Int64: [RejectedItem]] = [:]
    try forEachRow("SELECT task_id, item_index, name, reason FROM rejected_items ORDER BY id") { row in
      rejected[row.integer(0), default: []].append(row.rejectedItem)
    }
    return try rows("SELECT \(taskColumns) FROM tasks ORDER BY id") { row throws(StorageError) in
      try row.task(rejected: rejected[row.integer(0)] ?? [])
    }
  }

  func requireTask(_ id: Int64) throws(StorageError) -> TaskRecord {
    guard let task = try task(id) else { throw .notFound(.task, String(id)) }
    return task
  }

  /// Returns false where there is no such task.
  func apply(_ update: TaskUpdate, now: Int64) throws(StorageError) -> Bool {
    try execute(
      """
      UPDATE tasks SET state = ?, serving = coalesce(?, serving), error = ?, ready_at = ?,
        refinement = coalesce(?, refinement)
      WHERE id = ?
      """,
      [
        .text(update.state.rawValue), update.isServing.map(SQLValue.bool) ?? .null, .optional(update.error),
        update.state == .ready ? .integer(now) : .null, .optional(update.refinement), .integer(update.taskID),
      ])
    guard changedRows == 1 else { return false }
    if let event = update.event { _ = try appendEvent(event, taskID: update.taskID, now: now) }
    return true
  }

  /// Names are compared as bytes: callers hand in one normal form (NFC).
  func classID(named name: String) throws(StorageError) -> Int64? {
    try firstRow("SELECT id FROM classes WHERE name = ?", [.text(name)]) { row in row.integer(0) }
  }

  func owner(ofClassNamed name: String) throws(StorageError) -> Int64? {
    try firstRow("SELECT task_id FROM classes WHERE name = ?", [.text(name)]) { row in row.integer(0) }
  }

  /// Inserts examples, creating the classes that do not exist.
  fileprivate func addExamples(
    _ examples: [NewExample], rejected: [RejectedItem], to taskID: Int64, now: Int64
  ) throws(StorageError) -> (classIDs: [String: Int64], exampleIDs: [Int64]) {
    for item in rejected {
      try execute(
        "INSERT INTO rejected_items (task_id, item_index, name, reason) VALUES (?, ?, ?, ?)",
        [.integer(taskID), .integer(item.index), .optional(item.name), .text(item.reason)])
    }
    var classIDs: [String: Int64] = [:]
    var exampleIDs: [Int64] = []
    exampleIDs.reserveCapacity(examples.count)
    for example in examples {
      let classID: Int64
      if let known = classIDs[example.label] {
        classID = known
      } else if let existing = try self.classID(named: example.label) {
        classID = existing
      } else {
        classID = try insert(
          "INSERT INTO classes (task_id, name, created_at) VALUES (?, ?, ?)",
          [.integer(taskID), .text(example.label), .integer(now)])
      }
      classIDs[example.label] = classID
      exampleIDs.append(
        try insert(
          """
          INSERT INTO examples (task_id, class_id, name, group_name, held_out, sha256, fingerprint, created_at, bytes)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
          [
            .integer(taskID), .integer(classID), .optional(example.name), .optional(example.group),
            .bool(example.isHeldOut), .blob(example.sha256), .optional(example.fingerprint), .integer(now),
            .blob(example.bytes),
          ]))
    }
    return (classIDs, exampleIDs)
  }
}
