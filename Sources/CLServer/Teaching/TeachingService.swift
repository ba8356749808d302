import CLModels
package import HTTP
import JSONTree
package import Storage
import Tensor

/// Accepts examples: checks them, splits off the held-out ones and stores everything before it answers.
package final class TeachingService: Sendable {
  /// What a request to teach is answered with.
  package struct Answer: Sendable {
    package let response: StoredResponse
    /// Whether it is the answer of an earlier, equal request.
    package let isReplay: Bool
  }

  private let store: Store
  private let learning: LearningService
  private let checker: ExampleChecker
  private let splitter: HeldOutSplitter
  private let defaultHoldout: Double
  private let defaultLearner: TeachingRequest.Learner
  private let taskQueue: Int
  private let logger: Logger

  package init(
    store: Store, learning: LearningService, checker: ExampleChecker, splitter: HeldOutSplitter,
    defaultHoldout: Double, defaultLearner: TeachingRequest.Learner, taskQueue: Int, logger: Logger
  ) {
    self.store = store
    self.learning = learning
    self.checker = checker
    self.splitter = splitter
    self.defaultHoldout = defaultHoldout
    self.defaultLearner = defaultLearner
    self.taskQueue = taskQueue
    self.logger = logger
  }

  /// A new task, or nil for `task` more examples of a task. Blocks while the images are decoded; when it returns,
  /// everything it accepted is on disk.
  package func teach(
    _ request: TeachingRequest, to task: Int64?, idempotency: IdempotencyRequest?
  ) throws(Problem) -> Answer {
    if let idempotency, let answer = try replay(idempotency) { return answer }
    try requireRoom()
    if let task { try requireTask(task) }
    var (checked, rejected) = checker.check(request.intake)
    let holdout = request.holdout ?? defaultHoldout
    let split = try problems { () throws(StorageError) in
      try splitter.split(
        checked, holdout: holdout, isNamed: request.intake.namesHeldOut)
    }
    rejected = (rejected + split.rejected).sorted { $0.index < $1.index }
    checked = split.examples.map(\.checked)
    guard !checked.isEmpty else { throw ServiceProblems.noUsableExample(rejected) }
    let examples = split.examples.map { example in
      NewExample(
        label: example.checked.item.label, name: example.checked.item.name.isEmpty ? nil : example.checked.item.name,
        group: example.checked.item.group, bytes: example.checked.item.bytes, sha256: example.checked.sha256,
        isHeldOut: example.isHeldOut, fingerprint: example.checked.fingerprint.encoded())
    }
    do throws(StorageError) {
      let answer = try store(examples, rejected, request, to: task, holdout: holdout, idempotency)
      learning.wake()
      return answer
    } catch .conflict(.idempotencyKeyUsed) {
      // An equal request was accepted while this one was checked.
      if let idempotency, let answer = try replay(idempotency) { return answer }
      throw ServiceProblems.of(.conflict(.idempotencyKeyUsed("")))
    } catch {
      throw report(error)
    }
  }

  private func store(
    _ examples: [NewExample], _ rejected: [RejectedItem], _ request: TeachingRequest, to task: Int64?,
    holdout: Double, _ idempotency: IdempotencyRequest?
  ) throws(StorageError) -> Answer {
    let event = NewEvent(
      kind: "accepted",
      data: JSON.object(["examples": .integer(examples.count), "rejected": .integer(rejected.count)]).encodedText())
    let response: @Sendable (TaskRecord, [String: Int64]) -> StoredResponse = { record, classIDs in
      let classes = TaskClass.count(examples, classIDs: classIDs)
      return StoredResponse(
        status: 202, body: JSON.task(record, classes: classes, progress: nil, candidates: []).encoded(),
        location: "/tasks/\(record.id)")
    }
    if let task {
      let added = try store.addExamples(
        to: task, examples, rejected: rejected, jobKind: JobKind.teach, event: event,
        extendExisting: request.extend, idempotency: idempotency?.entry { response($0.task, $0.classIDs) })
      return Answer(response: response(added.task, added.classIDs), isReplay: false)
    }
    let accepted = try store.acceptTask(
      NewTask(
        name: request.name ?? Self.name(examples), learner: (request.learner ?? defaultLearner).rawValue,
        holdout: holdout,
        extendExisting: request.extend, rejected: rejected, examples: examples,
        jobKind: JobKind.teach, event: event),
      idempotency: idempotency?.entry { response($0.task, $0.classIDs) })
    return Answer(response: response(accepted.task, accepted.classIDs), isReplay: false)
  }

  /// A name for a task that was sent without one: its classes.
  private static func name(_ examples: [NewExample]) -> String {
    let labels = Set(examples.map(\.label)).sorted()
    let shown = labels.prefix(3).joined(separator: ", ")
    return String((labels.count > 3 ? shown + " and \(labels.count - 3) more" : shown).prefix(200))
  }

  private func replay(_ idempotency: IdempotencyRequest) throws(Problem) -> Answer? {
    let record = try problems { () throws(StorageError) in
      try store.idempotencyRecord(key: idempotency.key, scope: idempotency.scope)
    }
    guard let record else { return nil }
    guard record.requestSHA256 == idempotency.requestSHA256 else { throw ServiceProblems.idempotencyKeyReused }
    return Answer(response: record.response, isReplay: true)
  }

  private func requireRoom() throws(Problem) {
    // Training in the background holds nobody up.
    let waiting = try problems { () throws(StorageError) in
      try store.pendingJobs().count { $0.kind != JobKind.refine }
    }
    if waiting >= taskQueue { throw ServiceProblems.busy("tasks", limit: taskQueue, setting: "task_queue") }
  }

  private func requireTask(_ id: Int64) throws(Problem) {
    let task = try problems { () throws(StorageError) in try store.task(id) }
    guard let task else { throw ServiceProblems.notFound("task", String(id)) }
    if task.state == .cancelled { throw ServiceProblems.conflict("Task \(id) was cancelled.") }
  }

  private func problems<Outcome>(_ body: () throws(StorageError) -> Outcome) throws(Problem) -> Outcome {
    do throws(StorageError) { return try body() } catch { throw report(error) }
  }

  /// Logs what an operator must know and says the rest to the client.
  private func report(_ error: StorageError) -> Problem {
    let problem = ServiceProblems.of(error)
    if problem.status >= 500 { logger.error("storage failed", [LogField("error", .text(error.description))]) }
    return problem
  }
}
