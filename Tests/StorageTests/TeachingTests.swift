import Storage
import Testing

private let failed = NewEvent(kind: "failed", data: "{}")
private let cancelled = NewEvent(kind: "cancelled", data: "{}")
private let state = NewEvent(kind: "state", data: "{}")

/// A store with one accepted task.
private struct Taught {
  let test: TestStore
  let id: Int64
  let job: Int64
  var store: Store { test.store }

  init() throws {
    test = try TestStore()
    let accepted = try test.store.acceptTask(newTask("one", [example("cat"), example("dog")]))
    (id, job) = (accepted.task.id, accepted.jobID)
  }

  /// Teaches the task and adds an example: returns the job that waits.
  func servesWithAnotherJob() throws -> Int64 {
    try store.teach(id, job: job)
    return try store.addExamples(to: id, [example("cat")]).jobID
  }

  /// Brings the accepted task to a state.
  func move(to target: TaskState) throws {
    switch target {
    case .accepted: break
    case .cancelled: _ = try store.cancelTask(id, event: cancelled)
    case .ready: try store.teach(id, job: job)
    case .embedding, .training, .failed:
      #expect(try store.startTeaching(job: job, taskID: id, event: state))
      if target == .failed { #expect(try store.failTask(id, job: job, reason: "no memory", event: failed)) }
      if target == .training {
        _ = try store.publish(
          NewVersion(afterTaskID: nil, manifest: "{}", artifacts: []),
          taskUpdates: [TaskUpdate(taskID: id, state: .training, isServing: nil)])
      }
    }
    #expect(try store.task(id)?.state == target)
  }

  func kinds() throws -> [String] { try store.events(of: id).map(\.kind) }
}

@Test func startingToTeachMovesJobAndTaskTogetherAndOnlyOnce() throws {
  let taught = try Taught()
  let store = taught.store
  #expect(try !store.startTeaching(job: taught.job, taskID: 99, event: state))
  #expect(try store.startTeaching(job: taught.job, taskID: taught.id, event: state))
  #expect(try store.job(taught.job)?.state == .running)
  #expect(try store.job(taught.job)?.attempts == 1)
  #expect(try store.task(taught.id)?.state == .embedding)
  #expect(try taught.kinds() == ["accepted", "state"])
  #expect(try !store.startTeaching(job: taught.job, taskID: taught.id, event: state))
  #expect(try !store.startTeaching(job: 99, taskID: taught.id, event: state))
  #expect(try store.job(taught.job)?.attempts == 1)
  #expect(try taught.kinds() == ["accepted", "state"])
}

@Test(arguments: [false, true])
func cancellingStopsTheJobsAndKeepsWhatServes(serves: Bool) throws {
  let taught = try Taught()
  let store = taught.store
  let job = try serves ? taught.servesWithAnotherJob() : taught.job
  #expect(try store.startTeaching(job: job, taskID: taught.id, event: state))
  _ = try store.addExamples(to: taught.id, [example("cat")])
  let task = try store.cancelTask(taught.id, event: cancelled)
  #expect(task.state == (serves ? .ready : .cancelled))
  #expect(task.isServing == serves)
  #expect(try store.task(taught.id) == task)
  #expect(try store.jobs(of: taught.id).map(\.state) == (serves ? [.done] : []) + [.cancelled, .cancelled])
  #expect(try taught.kinds().last == "cancelled")
  #expect(try !store.startTeaching(job: job, taskID: taught.id, event: state))
  #expect(try !store.failTask(taught.id, job: job, reason: "late", event: failed))
  #expect(try store.task(taught.id) == task)
}

@Test(arguments: TaskState.allCases)
func onlyATaskThatWaitsForSomethingIsCancelled(from: TaskState) throws {
  let taught = try Taught()
  try taught.move(to: from)
  if from.isAtRest {
    let events = try taught.kinds()
    #expect(throws: StorageError.conflict(.taskAtRest(from))) {
      try taught.store.cancelTask(taught.id, event: cancelled)
    }
    #expect(try taught.store.task(taught.id)?.state == from)
    #expect(try taught.kinds() == events)
  } else {
    #expect(try taught.store.cancelTask(taught.id, event: cancelled).state == .cancelled)
  }
  #expect(throws: StorageError.notFound(.task, "99")) { try taught.store.cancelTask(99, event: cancelled) }
}

@Test(arguments: [false, true])
func aTaskThatServesStaysReadyWhenMoreExamplesFail(serves: Bool) throws {
  let taught = try Taught()
  let store = taught.store
  let job = try serves ? taught.servesWithAnotherJob() : taught.job
  #expect(try !store.failTask(taught.id, job: job, reason: "early", event: failed))
  #expect(try store.startTeaching(job: job, taskID: taught.id, event: state))
  #expect(try store.failTask(taught.id, job: job, reason: "no memory", event: failed))
  let task = try #require(try store.task(taught.id))
  #expect(task.state == (serves ? .ready : .failed))
  #expect(task.isServing == serves && task.error == "no memory" && (task.readyAt != nil) == serves)
  #expect(try store.job(job)?.state == .failed)
  #expect(try store.job(job)?.error == "no memory")
  #expect(try taught.kinds().suffix(3) == ["accepted", "state", "failed"])
  #expect(try !store.failTask(taught.id, job: job, reason: "again", event: failed))
}

@Test func aFailureWithAnotherJobWaitingLeavesTheTaskAccepted() throws {
  let taught = try Taught()
  #expect(try taught.store.startTeaching(job: taught.job, taskID: taught.id, event: state))
  let added = try taught.store.addExamples(to: taught.id, [example("cat")])
  #expect(try taught.store.failTask(taught.id, job: taught.job, reason: "no memory", event: failed))
  #expect(try taught.store.task(taught.id)?.state == .accepted)
  #expect(try taught.store.task(taught.id)?.error == "no memory")
  #expect(try taught.kinds().last == "accepted")
  #expect(try taught.store.pendingJobs().map(\.id) == [added.jobID])
}

@Test func aJobThatEndsTheProcessAgainAndAgainFailsWithItsTask() throws {
  let test = try TestStore()
  let store = test.store
  let bad = try store.acceptTask(newTask("bad", [example("cat")]))
  let good = try store.acceptTask(newTask("good", [example("dog")]))
  let rebuild = try store.enqueueJob(kind: "rebuild")
  for round in 1...3 {
    #expect(try store.startTeaching(job: bad.jobID, taskID: bad.task.id, event: state))
    #expect(try store.startJob(rebuild))
    let limit = round < 3 ? 3 : 4
    // Stopped in order, however often: not its fault.
    #expect(try store.startTeaching(job: good.jobID, taskID: good.task.id, event: state))
    #expect(try store.releaseJob(good.jobID))
    #expect(try store.job(good.jobID)?.attempts == 0)
    #expect(try store.recoverJobs(maximumAttempts: limit) == RecoveredJobs(pending: 2, failed: 0))
  }
  #expect(try store.startTeaching(job: bad.jobID, taskID: bad.task.id, event: state))
  #expect(try store.startJob(rebuild))
  #expect(try store.startJob(good.jobID))
  #expect(try store.recoverJobs(maximumAttempts: 4) == RecoveredJobs(pending: 1, failed: 2))
  #expect(try store.pendingJobs().map(\.id) == [good.jobID])
  #expect(try store.job(bad.jobID)?.error == "it was begun 4 times and never ended")
  #expect(try store.job(rebuild)?.state == .failed)
  let task = try #require(try store.task(bad.task.id))
  #expect(task.state == .failed && task.error == "it was begun 4 times and never ended")
  #expect(try store.events(of: bad.task.id).last?.kind == "failed")
  #expect(try store.recoverJobs() == RecoveredJobs(pending: 0, failed: 0))
}

@Test func aRequestMayExtendWhatItsTaskMayNot() throws {
  let taught = try Taught()
  let two = try taught.store.acceptTask(newTask("two", [example("cow")]))
  #expect(throws: StorageError.conflict(.labelsExist(["cat"]))) {
    try taught.store.addExamples(to: two.task.id, [example("cat")])
  }
  let added = try taught.store.addExamples(to: two.task.id, [example("cat")], extendExisting: true)
  #expect(try taught.store.classRecord(try #require(added.classIDs["cat"]))?.taskID == taught.id)
  #expect(added.task.extendExisting == false)
}

@Test func oldEventsAndJobsGoButTheLastEventStays() throws {
  let taught = try Taught()
  let store = taught.store
  let busy = try store.acceptTask(newTask("busy", [example("cow")]))
  _ = try store.appendEvent(taskID: busy.task.id, kind: "progress", data: "{}")
  try store.teach(taught.id, job: taught.job)
  let ended = try #require(try store.events(of: taught.id).last?.createdAt)
  #expect(try store.pruneEvents(olderThan: 1_000) == 0)
  // Two of three events, and the job.
  #expect(try store.pruneEvents(olderThan: ended + 1) == 3)
  #expect(try taught.kinds() == ["ready"])
  #expect(try store.job(taught.job) == nil)
  #expect(try store.events(of: busy.task.id).map(\.kind) == ["accepted", "progress"])
  #expect(try store.pendingJobs().map(\.id) == [busy.jobID])
  #expect(try store.pruneEvents(olderThan: ended + 1_000_000) == 0)
}
