import Storage
import Testing

@Test func anAcceptedTaskIsStoredWithAllItsParts() throws {
  let test = try TestStore()
  let rejected = [
    RejectedItem(index: 4, name: "x.jpg", reason: "truncated"), RejectedItem(index: 7, name: nil, reason: "?"),
  ]
  let accepted = try test.store.acceptTask(
    NewTask(
      name: "fruit", learner: "closed-form", holdout: 0.2, settings: "{\"a\":1}", rejected: rejected,
      examples: [
        example("pear", [1], name: "p1"), example("apple", [2], group: "burst"), example("pear", [], heldOut: true),
      ]))
  let store = try test.reopened()
  let task = try #require(try store.task(accepted.task.id))
  #expect(task == accepted.task)
  #expect(task.state == .accepted && !task.isServing && task.readyAt == nil && task.error == nil)
  #expect(task.holdout == 0.2 && task.settings == "{\"a\":1}" && task.rejected == rejected)
  #expect(try store.tasks() == [task])

  let classes = try store.classes(of: task.id)
  #expect(classes.map(\.name) == ["pear", "apple"])
  #expect(classes.map(\.exampleCount) == [2, 1])
  #expect(classes.map(\.heldOutCount) == [1, 0])
  #expect(try store.classes() == classes)
  #expect(try store.classRecord(classes[0].id) == classes[0])
  #expect(accepted.classIDs == ["pear": classes[0].id, "apple": classes[1].id])

  let examples = try store.examples(of: task.id)
  #expect(examples.map(\.id) == accepted.exampleIDs)
  #expect(examples.map(\.isHeldOut) == [false, false, true])
  #expect(examples.map(\.name) == ["p1", nil, nil])
  #expect(examples.map(\.group) == [nil, "burst", nil])
  #expect(examples[1].sha256 == SHA256.hash([2]))
  #expect(try accepted.exampleIDs.map { try store.exampleBytes($0) } == [[1], [2], []])
  #expect(try store.exampleBytes(999) == nil)
  #expect(try store.exampleCount() == 3)
  #expect(try store.examples() == examples)
  #expect(try store.examples(ofClass: classes[1].id).map(\.id) == [accepted.exampleIDs[1]])

  #expect(try store.pendingJobs().map(\.id) == [accepted.jobID])
  #expect(try store.events(of: task.id).map(\.kind) == ["accepted"])
}

@Test func anExistingLabelIsAConflictThatNamesIt() throws {
  let store = try TestStore().store
  _ = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  #expect(throws: StorageError.conflict(.labelsExist(["dog", "cat"]))) {
    try store.acceptTask(newTask("two", [example("dog"), example("cow"), example("cat"), example("dog")]))
  }
  #expect(try store.tasks().count == 1)
  #expect(try store.classes().count == 2)
}

@Test func extendingGivesExamplesToTheExistingClassAndToTheNewTask() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  let two = try store.acceptTask(newTask("two", [example("cat"), example("cow")], extendExisting: true))
  #expect(two.classIDs["cat"] == one.classIDs["cat"])
  #expect(try store.classes(of: two.task.id).map(\.name) == ["cow"])
  #expect(try store.classes(of: one.task.id).map(\.exampleCount) == [2])
  #expect(try store.examples(of: two.task.id).count == 2)
}

@Test func anErrorHalfWayLeavesNothing() throws {
  let store = try TestStore().store
  let broken = NewExample(label: "cow", name: nil, bytes: [1], sha256: [1, 2, 3], isHeldOut: false)
  let error = #expect(throws: StorageError.self) {
    try store.acceptTask(newTask("bad", [example("cat"), example("dog"), broken]))
  }
  guard case .sqlite(let failure)? = error else {
    Issue.record("unexpected \(String(describing: error))")
    return
  }
  #expect(failure.code == 19)
  #expect(failure.extendedCode == 275)
  #expect(failure.sql?.hasPrefix("INSERT INTO examples") == true)
  #expect(try store.tasks().isEmpty)
  #expect(try store.classes().isEmpty)
  #expect(try store.exampleCount() == 0)
  #expect(try store.pendingJobs().isEmpty)
  let next = try store.acceptTask(newTask("good", [example("cat")]))
  #expect(try store.tasks() == [next.task])
}

@Test func examplesAreAddedToATaskWithAJobAndANewState() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  let other = try store.acceptTask(newTask("other", [example("dog")]))
  try store.teach(one.task.id, job: one.jobID)
  let added = try store.addExamples(
    to: one.task.id, [example("cat"), example("cow")], rejected: [RejectedItem(index: 0, name: "a", reason: "b")])
  #expect(added.task.state == .accepted && added.task.isServing && added.task.readyAt == nil)
  #expect(added.task.rejected.count == 1)
  #expect(try store.classes(of: one.task.id).map(\.name) == ["cat", "cow"])
  #expect(try store.jobs(of: one.task.id).map(\.id) == [one.jobID, added.jobID])
  #expect(throws: StorageError.conflict(.labelsExist(["dog"]))) {
    try store.addExamples(to: one.task.id, [example("dog")])
  }
  #expect(throws: StorageError.notFound(.task, "99")) { try store.addExamples(to: 99, [example("dog")]) }
  #expect(try store.examples(of: other.task.id).count == 1)
}

@Test func aTaskMayExtendClassesOfOthersWhenItWasToldTo() throws {
  let store = try TestStore().store
  _ = try store.acceptTask(newTask("one", [example("cat")]))
  let two = try store.acceptTask(newTask("two", [example("cow")], extendExisting: true))
  #expect(try store.addExamples(to: two.task.id, [example("cat")]).exampleIDs.count == 1)
}

@Test func stateEventAndTimeChangeTogether() throws {
  let store = try TestStore().store
  let accepted = try store.acceptTask(newTask("one", [example("cat")]))
  let id = accepted.task.id
  #expect(try store.startTeaching(job: accepted.jobID, taskID: id, event: NewEvent(kind: "state", data: "{}")))
  let embedding = try #require(try store.task(id))
  #expect(embedding.state == .embedding && !embedding.isServing && embedding.readyAt == nil)
  #expect(try store.events(of: id).map(\.kind) == ["accepted", "state"])
  #expect(try store.releaseJob(accepted.jobID))
  try store.teach(id, job: accepted.jobID)
  let ready = try #require(try store.task(id))
  #expect(ready.state == .ready && ready.isServing && ready.readyAt != nil)
  #expect(try store.events(of: id).map(\.kind) == ["accepted", "state", "state", "ready"])
}

@Test func renamingKeepsTheClassAndRefusesATakenName() throws {
  let store = try TestStore().store
  let task = try store.acceptTask(newTask("one", [example("cat"), example("dog")]))
  let cat = try #require(task.classIDs["cat"])
  try store.renameClass(cat, to: "kitten 🐈", actor: "admin")
  try store.renameClass(cat, to: "kitten 🐈", actor: "admin")
  #expect(try store.classRecord(cat)?.name == "kitten 🐈")
  #expect(throws: StorageError.conflict(.classNameTaken("dog"))) {
    try store.renameClass(cat, to: "dog", actor: "admin")
  }
  #expect(throws: StorageError.notFound(.class, "77")) { try store.renameClass(77, to: "new", actor: "admin") }
}
