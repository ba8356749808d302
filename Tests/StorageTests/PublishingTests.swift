import Storage
import Testing

private func version(
  after taskID: Int64? = nil, _ bytes: [UInt8] = [1],
  evaluations: [(taskID: Int64, counts: Counts, note: String?)] = [],
  classEvaluations: [(classID: Int64, counts: Counts)] = [], servingTasks: Set<Int64>? = nil
) -> NewVersion {
  NewVersion(
    afterTaskID: taskID, manifest: "{}", artifacts: [NewArtifact(kind: "head", bytes: bytes)], evaluations: evaluations,
    classEvaluations: classEvaluations, servingTasks: servingTasks)
}

private func ready(_ taskID: Int64) -> TaskUpdate {
  TaskUpdate(taskID: taskID, state: .ready, isServing: true, event: NewEvent(kind: "ready", data: "{}"))
}

@Test func aVersionOfAJobThatEndedIsNotPublished() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  let rebuild = try store.enqueueJob(kind: "rebuild")
  #expect(try store.startJob(rebuild))
  func publish() throws(StorageError) {
    _ = try store.publish(
      version(), taskUpdates: [ready(one.task.id)], finishing: one.jobID, alsoFinishing: [rebuild])
  }
  // Not started, cancelled, gone.
  #expect(throws: StorageError.conflict(.jobEnded)) { try publish() }
  #expect(try store.startJob(one.jobID))
  _ = try store.cancelTask(one.task.id, event: NewEvent(kind: "cancelled", data: "{}"))
  #expect(throws: StorageError.conflict(.jobEnded)) { try publish() }
  #expect(try store.task(one.task.id)?.state == .cancelled)
  #expect(try store.job(rebuild)?.state == .running)
  _ = try store.deleteTask(one.task.id, actor: "admin", jobKind: nil)
  #expect(throws: StorageError.conflict(.jobEnded)) { try publish() }
  #expect(try store.versions().isEmpty)
}

@Test func allRebuildsOfAVersionEndWithIt() throws {
  let store = try TestStore().store
  let jobs = try (0..<3).map { _ in try store.enqueueJob(kind: "rebuild") }
  for job in jobs[1...] { #expect(try store.startJob(job)) }
  _ = try store.publish(version(), finishing: jobs[2], alsoFinishing: [jobs[0], jobs[1], 99])
  #expect(try jobs.map { try store.job($0)?.state } == [.pending, .done, .done])
}

@Test func aTaskWithMoreToLearnServesButIsNotReady() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  #expect(try store.startJob(one.jobID))
  let added = try store.addExamples(to: one.task.id, [example("cat")])
  _ = try store.publish(version(), taskUpdates: [ready(one.task.id)], finishing: one.jobID)
  let task = try #require(try store.task(one.task.id))
  #expect(task.state == .accepted && task.isServing && task.readyAt == nil)
  #expect(try store.events(of: one.task.id).map(\.kind) == ["accepted", "accepted"])
  #expect(try store.startJob(added.jobID))
  _ = try store.publish(version(), taskUpdates: [ready(one.task.id)], finishing: added.jobID)
  #expect(try store.task(one.task.id)?.state == .ready)
  #expect(try store.events(of: one.task.id).map(\.kind) == ["accepted", "accepted", "ready"])
}

@Test func servingIsWhatTheVersionSays() throws {
  let store = try TestStore().store
  let accepted = try ["a", "b", "c"].map { try store.acceptTask(newTask($0, [example($0)])) }
  let tasks = accepted.map(\.task.id)
  try store.teach(tasks[0], job: accepted[0].jobID)
  #expect(try store.tasks().map(\.isServing) == [true, false, false])
  _ = try store.publish(version(servingTasks: [tasks[1], tasks[2], 99]))
  #expect(try store.tasks().map(\.isServing) == [false, true, true])
  _ = try store.publish(version())
  #expect(try store.tasks().map(\.isServing) == [false, true, true])
  _ = try store.publish(version(servingTasks: []))
  #expect(try store.tasks().map(\.isServing) == [false, false, false])
}

@Test func withNothingLeftNothingServes() throws {
  let test = try TestStore()
  let store = test.store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  try store.storeFeatures([(one.exampleIDs[0], [1])], backboneKey: "k")
  let counts = Counts(correct: 1, total: 1)
  let last = try store.publish(
    version(after: one.task.id, evaluations: [(one.task.id, counts, nil)], servingTasks: [one.task.id]))
  let jobs = [try store.enqueueJob(kind: "rebuild"), try store.enqueueJob(kind: "rebuild")]
  #expect(try store.startJob(jobs[0]))
  try store.deactivate(finishing: jobs)
  #expect(try store.activeVersion() == nil)
  #expect(try store.activeRecord() == nil)
  #expect(try store.tasks().map(\.isServing) == [false])
  #expect(try store.versions().map(\.hasArtifacts) == [false])
  #expect(try store.evaluations(of: last).count == 1)
  #expect(try jobs.map { try store.job($0)?.state } == [.done, .pending])
  #expect(try store.features(backboneKey: "k").exampleIDs.count == 1)
  store.close()
  #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 0)
}

@Test func whatIsDerivedCanBeDroppedAndMadeAgain() throws {
  let test = try TestStore()
  let one = try test.store.acceptTask(newTask("one", [example("cat", [7])]))
  try test.store.storeFeatures([(one.exampleIDs[0], [1])], backboneKey: "k")
  _ = try test.store.publish(version([1, 2, 3], servingTasks: [one.task.id]))
  test.store.close()
  runSQL("UPDATE artifacts SET bytes = x'00'", on: test.directory.database)
  let store = try test.reopened()
  #expect(throws: StorageError.self) { try store.activeVersion() }
  try store.dropDerived(retrained: [one.task.id])
  #expect(try store.pendingJobs().map(\.kind) == ["teach", "rebuild", "refine"])
  #expect(try store.activeVersion() == nil)
  #expect(try store.features(backboneKey: "k").exampleIDs.isEmpty)
  #expect(try store.tasks().map(\.isServing) == [true])
  #expect(try store.exampleBytes(one.exampleIDs[0]) == [7])
  _ = try store.publish(version([1, 2, 3]))
  #expect(try store.activeVersion()?.artifacts.map(\.bytes) == [[1, 2, 3]])
}

@Test func theTrainingSnapshotHoldsWhatTheListsHold() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog", heldOut: true)]))
  _ = try store.deleteExample(one.exampleIDs[0], actor: "admin")
  let snapshot = try store.trainingSnapshot()
  #expect(try snapshot.classes == store.classes() && snapshot.classes.count == 2)
  #expect(try snapshot.examples == store.examples() && snapshot.examples.count == 1)
  #expect(try snapshot.tasks == store.tasks() && snapshot.tasks.count == 1)
  #expect(snapshot.removalCount == 1)
}

@Test func accuracyIsThatOfTheLastVersionAfterEachTaskAndOfTheActiveOne() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")]))
  let two = try store.acceptTask(newTask("two", [example("dog")]))
  let (a, b) = (one.task.id, two.task.id)
  let cat = try #require(one.classIDs["cat"])
  func publish(after taskID: Int64?, _ correct: Int) throws -> Int64 {
    let counts = Counts(correct: correct, total: 9)
    return try store.publish(
      version(after: taskID, evaluations: [(a, counts, nil), (b, counts, nil)], classEvaluations: [(cat, counts)]))
  }
  #expect(try store.accuracySnapshot().active == nil)
  #expect(try store.accuracySnapshot().evaluations.isEmpty)
  _ = try publish(after: a, 1)
  let second = try publish(after: a, 2)
  let third = try publish(after: b, 3)
  _ = try publish(after: nil, 4)
  let fifth = try publish(after: nil, 5)
  let snapshot = try store.accuracySnapshot()
  #expect(try snapshot.active == store.activeRecord() && snapshot.active?.id == fifth)
  #expect(snapshot.evaluations.map(\.versionID) == [second, second, third, third, fifth, fifth])
  #expect(snapshot.evaluations.map(\.taskID) == [a, b, a, b, a, b])
  #expect(snapshot.evaluations.map(\.counts.correct) == [2, 2, 3, 3, 5, 5])
  #expect(snapshot.classEvaluations.map(\.counts.correct) == [5])
  #expect(snapshot.tasks.map(\.id) == [a, b])
  #expect(snapshot.classes.map(\.name) == ["cat", "dog"])
  #expect(try store.evaluations(of: second).map(\.counts.correct) == [2, 2])
  #expect(try store.evaluations(of: 99).isEmpty)
}

@Test func examplesAreCountedByTaskAndClass() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat"), example("dog"), example("cat", heldOut: true)]))
  let two = try store.acceptTask(newTask("two", [example("cat"), example("cat")], extendExisting: true))
  let (cat, dog) = (try #require(one.classIDs["cat"]), try #require(one.classIDs["dog"]))
  let ofOne = [
    ExampleCount(taskID: one.task.id, classID: cat, training: 1, heldOut: 1),
    ExampleCount(taskID: one.task.id, classID: dog, training: 1, heldOut: 0),
  ]
  let ofTwo = [ExampleCount(taskID: two.task.id, classID: cat, training: 2, heldOut: 0)]
  #expect(try store.exampleCounts() == ofOne + ofTwo)
  #expect(try store.exampleCounts(of: one.task.id) == ofOne)
  #expect(try store.exampleCounts(of: two.task.id) == ofTwo)
  #expect(try store.exampleCounts(of: 99).isEmpty)
}

@Test(arguments: [
  (
    "SELECT task_id, class_id, sum(held_out = 0) FROM examples GROUP BY task_id, class_id ORDER BY task_id, class_id",
    ["SCAN examples USING COVERING INDEX examples_by_task_and_class"]
  ),
  (
    "SELECT task_id, class_id, sum(held_out = 0) FROM examples WHERE task_id = 1 GROUP BY task_id, class_id",
    ["SEARCH examples USING COVERING INDEX examples_by_task_and_class (task_id=?)"]
  ),
  (
    "SELECT id, name, fingerprint FROM examples WHERE task_id = 1 ORDER BY id",
    ["SEARCH examples USING INDEX examples_by_task (task_id=?)"]
  ),
  (
    "SELECT id, manifest FROM versions WHERE active = 1",
    ["SEARCH versions USING INDEX versions_one_active (active=?)"]
  ),
  (
    "SELECT task_id, correct FROM evaluations WHERE version_id = 1 ORDER BY task_id",
    ["SEARCH evaluations USING PRIMARY KEY (version_id=?)"]
  ),
  (
    "SELECT max(id) FROM versions WHERE after_task_id IS NOT NULL GROUP BY after_task_id",
    ["SEARCH versions USING COVERING INDEX versions_by_after_task (after_task_id>?)"]
  ),
])
func whatIsPolledReadsAnIndex(sql: String, plan: [String]) throws {
  let test = try TestStore()
  test.store.close()
  #expect(queryPlan(sql, on: test.directory.database) == plan)
}
