import Storage
import Testing

private let event = NewEvent(kind: "training", data: "{}")

/// A task that serves and waits to be refined: its id and the job's.
private func live(_ store: Store) throws -> (task: Int64, job: Int64) {
  let accepted = try store.acceptTask(newTask("fruit", [example("apple"), example("pear", [4])]))
  #expect(try store.startTeaching(job: accepted.jobID, taskID: accepted.task.id, event: event))
  _ = try store.publish(
    NewVersion(afterTaskID: accepted.task.id, manifest: "{}", artifacts: []),
    taskUpdates: [TaskUpdate(taskID: accepted.task.id, state: .training, isServing: true)],
    refined: accepted.task.id, finishing: accepted.jobID)
  let job = try #require(try store.pendingJobs().first)
  #expect(job.kind == "refine")
  return (accepted.task.id, job.id)
}

@Suite struct RefiningTests {
  @Test func publishingEnqueuesOneJobAndTheTaskTrains() throws {
    let store = try TestStore().store
    let (task, job) = try live(store)
    #expect(try store.task(task)?.state == .training)
    #expect(try store.task(task)?.isServing == true)
    // A second version while the job waits adds no second job.
    _ = try store.publish(
      NewVersion(afterTaskID: task, manifest: "{}", artifacts: []), refined: task)
    #expect(try store.pendingJobs().map(\.id) == [job])
  }

  @Test func tasksThatLostTheirTrainingAreTrainedAgainOnce() throws {
    let store = try TestStore().store
    let (first, job) = try live(store)
    #expect(try store.startRefining(job: job, taskID: first, event: event))
    let second = try store.acceptTask(newTask("trees", [example("oak", [5]), example("ash", [6])]))
    #expect(try store.startTeaching(job: second.jobID, taskID: second.task.id, event: event))
    let ready = TaskUpdate(taskID: second.task.id, state: .ready, isServing: true)
    let missing = second.task.id + 1
    for (updates, finished) in [([ready], second.jobID), ([], nil)] {
      _ = try store.publish(
        NewVersion(afterTaskID: first, manifest: "{}", artifacts: []), taskUpdates: updates,
        retrained: [first, second.task.id, missing], finishing: finished)
      // The job that runs begins again by itself.
      #expect(try store.pendingJobs().map(\.taskID) == [second.task.id])
      #expect(try store.task(second.task.id)?.state == .training)
    }
    #expect(try store.cancelTask(second.task.id, event: event).state == .ready)
    #expect(try store.pendingJobs().isEmpty)
  }

  @Test func aTaskThatWaitsForMoreTrainingIsNotReadyYet() throws {
    let store = try TestStore().store
    let (task, job) = try live(store)
    #expect(try store.startRefining(job: job, taskID: task, event: event))
    _ = try store.publish(NewVersion(afterTaskID: task, manifest: "{}", artifacts: []), refined: task)
    #expect(try store.finishRefining(job: job, taskID: task, refinement: "{}", event: event))
    #expect(try store.task(task)?.state == .training)
    #expect(try store.task(task)?.refinement == "{}")
    let next = try #require(try store.pendingJobs().first).id
    #expect(try store.startRefining(job: next, taskID: task, event: event))
    _ = try store.publish(
      NewVersion(afterTaskID: task, manifest: "{}", artifacts: []),
      taskUpdates: [TaskUpdate(taskID: task, state: .ready, isServing: nil)], finishing: next)
    #expect(try store.task(task)?.state == .ready)
  }

  @Test func aCheckpointReplacesTheLastOfItsStageAndSurvivesReopening() throws {
    let test = try TestStore()
    let (task, job) = try live(test.store)
    #expect(try !test.store.saveCheckpoint(job: job, stage: "a", note: "1", bytes: [1]))
    #expect(try test.store.startRefining(job: job, taskID: task, event: event))
    #expect(try test.store.saveCheckpoint(job: job, stage: "a", note: "1", bytes: [1]))
    #expect(try test.store.saveCheckpoint(job: job, stage: "a", note: "2", bytes: [2, 2]))
    #expect(try test.store.saveCheckpoint(job: job, stage: "b", note: "3", bytes: [3]))
    let store = try test.reopened()
    let found = try #require(try store.checkpoint(job: job, stage: "a"))
    #expect(found.note == "2")
    #expect(found.bytes == [2, 2])
    #expect(try store.checkpoint(job: job, stage: "b")?.note == "3")
    #expect(try store.checkpoint(job: job, stage: "c") == nil)
  }

  @Test func progressKeepsAJobFromFailingForItsInterruptions() throws {
    let store = try TestStore().store
    let (task, job) = try live(store)
    for _ in 0..<12 {
      #expect(try store.startRefining(job: job, taskID: task, event: event))
      #expect(try store.saveCheckpoint(job: job, stage: "a", note: "", bytes: [1]))
      #expect(try store.recoverJobs().failed == 0)
    }
    // Without any it fails, and the task serves on.
    for _ in 0..<6 {
      _ = try store.startRefining(job: job, taskID: task, event: event)
      _ = try store.recoverJobs()
    }
    #expect(try store.job(job)?.state == .failed)
    #expect(try store.task(task)?.state == .ready)
    #expect(try store.task(task)?.isServing == true)
  }

  @Test func theEndWithoutAVersionKeepsWhatCameOfIt() throws {
    let test = try TestStore()
    let store = test.store
    let (task, job) = try live(store)
    #expect(try store.startRefining(job: job, taskID: task, event: event))
    #expect(try store.saveCheckpoint(job: job, stage: "a", note: "", bytes: [1]))
    #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 1)
    #expect(
      try store.finishRefining(
        job: job, taskID: task, refinement: "{\"adopted\":false}", event: NewEvent(kind: "ready", data: "{}")))
    #expect(try store.task(task)?.state == .ready)
    #expect(try store.task(task)?.refinement == "{\"adopted\":false}")
    #expect(try store.checkpoint(job: job, stage: "a") == nil)
    #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 0)
    #expect(
      try !store.finishRefining(job: job, taskID: task, refinement: "{}", event: NewEvent(kind: "ready", data: "{}")))
  }

  /// A full disk is no fault of the job's: it may fail as often as it will.
  @Test func attemptsThatAFailedWriteEndedDoNotCount() throws {
    let store = try TestStore().store
    let (task, job) = try live(store)
    for _ in 0..<12 {
      #expect(try store.startRefining(job: job, taskID: task, event: event))
      try store.releaseJobs()
    }
    #expect(try store.job(job)?.attempts == 0)
    #expect(try store.task(task)?.state == .training)
  }

  @Test func cancellingLeavesTheTaskServingAndNoCheckpoint() throws {
    let test = try TestStore()
    let store = test.store
    let (task, job) = try live(store)
    #expect(try store.startRefining(job: job, taskID: task, event: event))
    #expect(try store.saveCheckpoint(job: job, stage: "a", note: "", bytes: [1]))
    _ = try store.cancelTask(task, event: NewEvent(kind: "cancelled", data: "{}"))
    #expect(try store.task(task)?.state == .ready)
    #expect(queryInteger("SELECT count(*) FROM artifacts", on: test.directory.database) == 0)
    #expect(try !store.saveCheckpoint(job: job, stage: "a", note: "", bytes: [1]))
    #expect(try !store.startRefining(job: job, taskID: task, event: event))
  }

  @Test func examplesSentMeanwhileAreTaughtFirst() throws {
    let store = try TestStore().store
    let (task, job) = try live(store)
    #expect(try store.startRefining(job: job, taskID: task, event: event))
    let added = try store.addExamples(to: task, [example("apple", [9])])
    #expect(try store.task(task)?.state == .accepted)
    _ = try store.finishRefining(
      job: job, taskID: task, refinement: "{}", event: NewEvent(kind: "ready", data: "{}"))
    #expect(try store.task(task)?.state == .accepted)
    #expect(try store.pendingJobs().map(\.id) == [added.jobID])
  }
}
