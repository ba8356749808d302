import Storage
import Testing

@Test func aDeletedTaskTakesItsClassesAndEverythingInThemAlong() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  let two = try store.acceptTask(newTask("two", [example("cat"), example("cow")], extendExisting: true))
  try store.storeFeatures((one.exampleIDs + two.exampleIDs).map { ($0, [1, 2]) }, backboneKey: "k")
  _ = try store.publish(
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
  #expect(try store.evaluations().map(\.taskID) == [two.task.id])
  #expect(try store.classEvaluations(of: 1).isEmpty)
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
