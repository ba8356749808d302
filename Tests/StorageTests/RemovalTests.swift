import Storage
import Testing

@Test func aDeletedTaskTakesItsClassesAndEverythingInThemAlong() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  let two = try store.acceptTask(newTask("two", [example("cat"), example("cow")], extendExisting: true))
  try store.storeFeatures((one.exampleIDs + two.exampleIDs).map { ($0, [1, 2]) }, backboneKey: "k")
  let version = try store.publish(
    NewVersion(
      afterTaskID: two.task.id, manifest: "{}", artifacts: [],
      evaluations: [
        (one.task.id, Counts(correct: 1, total: 2), nil), (two.task.id, Counts(correct: 2, total: 2), nil),
      ], classEvaluations: [(one.classIDs["cat"] ?? 0, Counts(correct: 1, total: 1))]))

  let removed = try store.deleteTask(one.task.id, actor: "admin")
  #expect(removed.taskIDs == [one.task.id])
  #expect(removed.classIDs == [one.classIDs["cat"], one.classIDs["dog"]])
  #expect(removed.exampleIDs == one.exampleIDs + [two.exampleIDs[0]])
  #expect(try store.task(one.task.id) == nil)
  #expect(try store.classes().map(\.name) == ["cow"])
  #expect(try store.examples().map(\.id) == [two.exampleIDs[1]])
  #expect(try store.features(backboneKey: "k").exampleIDs == [two.exampleIDs[1]])
  #expect(try store.evaluations(of: version).map(\.taskID) == [two.task.id])
  #expect(try store.classEvaluations(of: version).isEmpty)
  #expect(try store.job(one.jobID) == nil)
  #expect(try store.events(of: one.task.id).isEmpty)
  #expect(try store.pendingJobs().map(\.id) == [two.jobID, removed.jobID])
  #expect(try store.pendingJobs().map(\.kind) == ["teach", "rebuild"])
  #expect(try store.auditRecords().map(\.action) == ["delete task"])
  #expect(try store.integrityCheck().isEmpty)
  #expect(throws: StorageError.notFound(.task, "\(one.task.id)")) {
    try store.deleteTask(one.task.id, actor: "admin")
  }
}

@Test func aDeletedClassTakesItsExamplesAndFreesItsName() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog"), example("cat")]))
  let cat = try #require(one.classIDs["cat"])
  let removed = try store.deleteClass(cat, actor: "admin", jobKind: nil)
  #expect(removed.taskIDs.isEmpty && removed.classIDs == [cat] && removed.jobID == nil)
  #expect(removed.exampleIDs == [one.exampleIDs[0], one.exampleIDs[2]])
  #expect(try store.task(one.task.id) != nil)
  let two = try store.acceptTask(newTask("two", [example("cat")]))
  #expect(try #require(two.classIDs["cat"]) > cat + 1)
  #expect(throws: StorageError.notFound(.class, "\(cat)")) { try store.deleteClass(cat, actor: "admin") }
}

@Test func aDeletedExampleLeavesItsClassAndIdsAreNotReused() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  #expect(try store.removalCount() == 0)
  #expect(try store.deleteExample(one.exampleIDs[0], actor: "admin").exampleIDs == one.exampleIDs)
  #expect(try store.removalCount() == 1)
  #expect(try store.classes().map(\.exampleCount) == [0])
  let added = try store.addExamples(to: one.task.id, [example("cat")])
  #expect(added.exampleIDs[0] > one.exampleIDs[0])
  #expect(throws: StorageError.notFound(.example, "\(one.exampleIDs[0])")) {
    try store.deleteExample(one.exampleIDs[0], actor: "admin")
  }
  #expect(try store.removalCount() == 1)
}

@Test func theLastExampleOfAClassLeavesTheClass() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  for id in one.exampleIDs { _ = try store.deleteExample(id, actor: "admin") }
  #expect(try store.classes().map(\.name) == ["cat", "dog"])
}

@Test func noVersionButTheActiveOneKeepsWhatWasRemovedAndThatOneUntilTheNext() throws {
  let test = try TestStore()
  let store = test.store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  func publish(_ byte: UInt8) throws {
    _ = try store.publish(
      NewVersion(afterTaskID: one.task.id, manifest: "{}", artifacts: [NewArtifact(kind: "head", bytes: [byte])]))
  }
  for byte in 1...3 { try publish(UInt8(byte)) }
  #expect(try store.versions().map(\.hasArtifacts) == [true, true, true])
  _ = try store.deleteExample(one.exampleIDs[0], actor: "admin")
  #expect(try store.versions().map(\.hasArtifacts) == [true, false, false])
  #expect(try store.activeVersion()?.artifacts.map(\.bytes) == [[3]])
  try publish(4)
  #expect(try store.versions().map(\.hasArtifacts) == [true, false, false, false])
  try publish(5)
  #expect(try store.versions().map(\.hasArtifacts) == [true, true, false, false, false])
  store.close()
  #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 2)
}

@Test func nothingOfARemovedExampleStaysInTheFile() throws {
  let test = try TestStore()
  let store = test.store
  // Larger than a page, within a page, a feature and an artifact, each with its own mark.
  let marks = ["-large photograph-", "-small photograph-", "-a feature of one-", "-the head of them-"]
  func marked(_ index: Int, _ count: Int) -> [UInt8] {
    Array(repeatElement(Array(marks[index].utf8), count: count).joined())
  }
  let one = try store.acceptTask(
    newTask("one", [example("cat", marked(0, 3_000)), example("cat", marked(1, 20)), example("dog")]))
  let vector = marked(2, 100).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  try store.storeFeatures([(one.exampleIDs[0], vector)], backboneKey: "k")
  _ = try store.publish(
    NewVersion(afterTaskID: nil, manifest: "{}", artifacts: [NewArtifact(kind: "head", bytes: marked(3, 2_000))]))
  try store.checkpoint()
  for (index, mark) in marks.enumerated() {
    #expect(fileContains(mark, test.directory.database), "mark \(index) is not found before the removal")
  }
  _ = try store.deleteClass(try #require(one.classIDs["cat"]), actor: "admin")
  _ = try store.publish(
    NewVersion(afterTaskID: nil, manifest: "{}", artifacts: [NewArtifact(kind: "head", bytes: [1])]))
  try store.checkpoint()
  for path in [test.directory.database, test.directory.database + "-wal"] {
    for mark in marks { #expect(!fileContains(mark, path), "\(mark) is still in \(path)") }
  }
}
