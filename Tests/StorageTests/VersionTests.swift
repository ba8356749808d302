import Storage
import Testing

private func version(
  after taskID: Int64? = nil, _ bytes: [UInt8], evaluations: [(taskID: Int64, counts: Counts, note: String?)] = [],
  removalCount: Int64? = nil
) -> NewVersion {
  NewVersion(
    afterTaskID: taskID, manifest: "{\"n\":\(bytes.count)}",
    artifacts: [NewArtifact(kind: "head", bytes: bytes), NewArtifact(kind: "calibration", bytes: [0])],
    evaluations: evaluations, removalCount: removalCount)
}

@Test func publishingActivatesEvaluatesAndUpdatesInOneStep() throws {
  let test = try TestStore()
  let store = test.store
  #expect(try store.activeVersion() == nil)
  let task = try store.acceptTask(newTask("one", [example("cat")]))
  #expect(try store.startJob(task.jobID))
  let counts = Counts(correct: 3, total: 4, leaveOneOutCorrect: 7, leaveOneOutTotal: 9)
  let id = try store.publish(
    NewVersion(
      afterTaskID: task.task.id, manifest: "{}", artifacts: [NewArtifact(kind: "head", bytes: [1, 2])],
      evaluations: [(task.task.id, counts, "small"), (99, counts, nil)],
      classEvaluations: [(try #require(task.classIDs["cat"]), Counts(correct: 0, total: 0)), (99, counts)]),
    taskUpdates: [
      TaskUpdate(taskID: task.task.id, state: .ready, isServing: true, event: NewEvent(kind: "ready", data: "{}")),
      TaskUpdate(taskID: 99, state: .ready, isServing: true, event: NewEvent(kind: "ready", data: "{}")),
    ], finishing: task.jobID)
  let reopened = try test.reopened()
  let active = try #require(try reopened.activeVersion())
  #expect(active.record.id == id && active.record.isActive && active.record.hasArtifacts)
  #expect(active.artifacts == [Artifact(kind: "head", bytes: [1, 2], sha256: SHA256.hash([1, 2]))])
  #expect(try reopened.evaluations(of: id).map(\.counts) == [counts])
  #expect(try reopened.evaluations(of: id).map(\.note) == ["small"])
  #expect(try reopened.classEvaluations(of: id).map(\.counts) == [Counts(correct: 0, total: 0)])
  #expect(try reopened.task(task.task.id)?.state == .ready)
  #expect(try reopened.task(task.task.id)?.isServing == true)
  #expect(try reopened.events(of: task.task.id).map(\.kind) == ["accepted", "ready"])
  #expect(try reopened.job(task.jobID)?.state == .done)
}

@Test func evaluationsAreTheRowsOfTheMatrix() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  let two = try store.acceptTask(newTask("two", [example("dog")]))
  let a = Counts(correct: 9, total: 10, leaveOneOutCorrect: 5, leaveOneOutTotal: 6)
  let b = Counts(correct: 8, total: 10)
  let first = try store.publish(version(after: one.task.id, [1], evaluations: [(one.task.id, a, nil)]))
  let second = try store.publish(
    version(after: two.task.id, [2], evaluations: [(two.task.id, a, "n is small"), (one.task.id, b, nil)]))
  let cells = try store.evaluations(of: first) + store.evaluations(of: second)
  #expect(cells.map(\.versionID) == [first, second, second])
  #expect(cells.map(\.afterTaskID) == [one.task.id, two.task.id, two.task.id])
  #expect(cells.map(\.taskID) == [one.task.id, one.task.id, two.task.id])
  #expect(cells.map(\.counts) == [a, b, a])
  #expect(cells.map(\.note) == [nil, nil, "n is small"])
}

@Test func oldVersionsLoseTheirArtifactsButNotTheirEvaluations() throws {
  let test = try TestStore()
  let store = test.store
  let task = try store.acceptTask(newTask("one", [example("cat")])).task.id
  var ids: [Int64] = []
  for step in 1...4 {
    ids.append(
      try store.publish(
        version(
          after: task, Array(repeating: UInt8(step), count: step),
          evaluations: [(task, Counts(correct: step, total: 4), nil)]), keepVersions: 2))
  }
  #expect(try store.versions().map(\.id) == ids.reversed())
  #expect(try store.versions().map(\.hasArtifacts) == [true, true, false, false])
  #expect(try store.versions().map(\.isActive) == [true, false, false, false])
  #expect(try store.versions(limit: 1).count == 1)
  #expect(try ids.flatMap { try store.evaluations(of: $0) }.map(\.counts.correct) == [1, 2, 3, 4])
  #expect(throws: StorageError.conflict(.artifactsGone(version: ids[0]))) {
    try store.activateVersion(ids[0], actor: "admin")
  }
  #expect(throws: StorageError.notFound(.version, "77")) { try store.activateVersion(77, actor: "admin") }
  try store.activateVersion(ids[2], actor: "admin")
  #expect(try store.activeVersion()?.artifacts.first?.bytes == [3, 3, 3])
  #expect(try store.version(ids[3])?.artifacts.first?.bytes == [4, 4, 4, 4])
  #expect(try store.version(99) == nil)
  store.close()
  // Two heads; the calibration that all versions share is stored once.
  #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 3)
}

@Test func aVersionTrainedOnRemovedExamplesIsNotPublished() throws {
  let store = try TestStore().store
  let task = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  let count = try store.removalCount()
  _ = try store.deleteExample(task.exampleIDs[0], actor: "admin")
  #expect(throws: StorageError.conflict(.removedMeanwhile)) {
    try store.publish(version([1], removalCount: count))
  }
  #expect(try store.activeVersion() == nil)
  _ = try store.publish(version([1], removalCount: try store.removalCount()))
  #expect(try store.activeVersion() != nil)
}

@Test func aChangedArtifactIsNoticed() throws {
  let test = try TestStore()
  _ = try test.store.publish(version([1, 2, 3]))
  test.store.close()
  runSQL("UPDATE artifacts SET bytes = x'010204' WHERE length(bytes) = 3", on: test.directory.database)
  let store = try Store(path: test.directory.database, clock: TestClock().now)
  let error = #expect(throws: StorageError.self) { try store.activeVersion() }
  guard case .corrupt? = error else {
    Issue.record("unexpected \(String(describing: error))")
    return
  }
}

@Test func bytesThatTheStoreHasAreNotAskedForAgain() throws {
  let store = try TestStore().store
  let bytes: [UInt8] = [7, 7, 7]
  func publish(_ artifact: NewArtifact) throws {
    _ = try store.publish(NewVersion(afterTaskID: nil, manifest: "{}", artifacts: [artifact]))
  }
  try publish(NewArtifact(kind: "expert", bytes: bytes))
  try publish(
    NewArtifact(kind: "expert", sha256: SHA256.hash(bytes)) {
      Issue.record("the store has these")
      return bytes
    })
  #expect(try store.activeVersion()?.artifacts == [Artifact(kind: "expert", bytes: bytes, sha256: SHA256.hash(bytes))])
}
