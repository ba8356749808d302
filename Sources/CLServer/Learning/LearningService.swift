import JSONTree
package import Storage
import Synchronization
package import Tensor

/// The learner: one thread that takes the stored jobs in order, embeds what they need and publishes versions.
///
/// A removal's rebuild goes before the teaching of a task, also in the middle of it. What was not finished when the
/// process ended is a job still, and starts again.
package final class LearningService: Sendable {
  private struct Signals {
    var isAwake = true
    var isStopping = false
    var hasStopped = false
  }

  let store: Store
  let embedder: Embedder
  let builder: ModelBuilder
  let features: FeatureLibrary
  let trainers: SourceTrainers
  let serving: ServingState
  let progress: ProgressBoard
  let events: EventHub
  let pool: ComputePool
  let logger: Logger
  let metrics: LearningMetrics
  let keepVersions: Int
  /// What the stored version read, when it could not be restored itself.
  let carried = Mutex<CarriedSources>(CarriedSources())
  private let signals = WaitableLock(Signals())

  package init(
    store: Store, embedder: Embedder, builder: ModelBuilder, features: FeatureLibrary, trainers: SourceTrainers,
    serving: ServingState, progress: ProgressBoard, events: EventHub, pool: ComputePool, logger: Logger,
    metrics: LearningMetrics, keepVersions: Int
  ) {
    self.store = store
    self.embedder = embedder
    self.builder = builder
    self.features = features
    self.trainers = trainers
    self.serving = serving
    self.progress = progress
    self.events = events
    self.pool = pool
    self.logger = logger
    self.metrics = metrics
    self.keepVersions = keepVersions
  }

  /// Starts the thread.
  package func start() {
    NamedThread.start("learner") { [self] in
      run()
      signals.withLock { $0.hasStopped = true }
      signals.signal()
    }
  }

  /// Says that there may be a new job.
  package func wake() {
    signals.withLock { $0.isAwake = true }
    signals.signal()
  }

  /// Asks the thread to stop at the next batch and waits for it, `seconds` at most. What it was doing is resumed by the
  /// next start.
  package func stop(within seconds: Double) {
    signals.withLock { $0.isStopping = true }
    signals.signal()
    _ = signals.wait(seconds: seconds, until: { $0.hasStopped })
  }

  var isStopping: Bool { signals.withLock { $0.isStopping } }

  private func run() {
    // Jobs that are marked as running while this thread runs none were left behind by a failed write or read.
    var leftBehind: LearningFailure?
    while !isStopping {
      do throws(LearningFailure) {
        if let failure = leftBehind { try takeUp(after: failure) }
        leftBehind = nil
        if try !runNextJob() {
          signals.wait(until: { $0.isAwake || $0.isStopping }) { $0.isAwake = false }
        }
      } catch {
        if case .stopped = error { return }
        leftBehind = error
        logger.error("learning failed; it is tried again", [LogField("error", "\(error)")])
        // A full disk or a locked file may pass; nothing is lost while we wait.
        _ = signals.wait(seconds: 2, until: { $0.isStopping })
      }
    }
  }

  /// Makes the jobs that a failure left behind wait again. What cannot be read because it is damaged fails again: such
  /// attempts are counted, so that they end; a full disk is no fault of the job's.
  private func takeUp(after failure: LearningFailure) throws(LearningFailure) {
    try storing { () throws(StorageError) in
      if case .storage(.corrupt) = failure { _ = try store.recoverJobs() } else { try store.releaseJobs() }
    }
  }

  /// Runs a waiting job, removals first and training last; false when there is none.
  private func runNextJob() throws(LearningFailure) -> Bool {
    let jobs = try storing { () throws(StorageError) in try store.pendingJobs() }
    if try runQuickJobs(among: jobs) { return true }
    guard let job = try nextTraining(among: jobs), let taskID = job.taskID else { return false }
    return try run(job, of: taskID) { () throws(LearningFailure) in try refine(taskID, job: job.id) }
  }

  /// What had begun before a restart goes first: it is about the examples of then. What was never trained goes before
  /// what is trained again.
  private func nextTraining(among jobs: [JobRecord]) throws(LearningFailure) -> JobRecord? {
    let waiting = jobs.filter { $0.kind == JobKind.refine }
    for job in waiting {
      if try checkpoint(job.id, Self.examplesStage) != nil { return job }
    }
    for job in waiting {
      guard let taskID = job.taskID else { continue }
      if try storing({ () throws(StorageError) in try store.task(taskID)?.refinement }) == nil { return job }
    }
    return waiting.first
  }

  /// Runs the waiting rebuilds, or the next task to teach: what people wait for, and what training makes way for.
  func runQuickJobs(among jobs: [JobRecord]) throws(LearningFailure) -> Bool {
    if try runRebuilds(among: jobs) { return true }
    guard let job = jobs.first(where: { $0.kind == JobKind.teach }), let taskID = job.taskID else { return false }
    return try run(job, of: taskID) { () throws(LearningFailure) in try teach(taskID, job: job.id) }
  }

  private func run(
    _ job: JobRecord, of taskID: Int64, _ body: () throws(LearningFailure) -> Void
  ) throws(LearningFailure) -> Bool {
    do throws(LearningFailure) {
      try body()
    } catch {
      switch error {
      case .cancelled: break
      case .unusable(let reason): try fail(taskID, job: job.id, reason: reason)
      case .stopped:
        // An orderly stop is no failed attempt.
        _ = try? store.releaseJob(job.id)
        throw error
      case .storage: throw error
      }
    }
    return true
  }

  /// Makes one version for all waiting rebuilds; false when there is none.
  @discardableResult
  func runRebuilds(among jobs: [JobRecord]) throws(LearningFailure) -> Bool {
    var started: [Int64] = []
    for job in jobs where job.kind == JobKind.rebuild {
      if try storing({ () throws(StorageError) in try store.startJob(job.id) }) { started.append(job.id) }
    }
    if started.isEmpty { return false }
    do throws(LearningFailure) {
      try publish(adding: nil, finishing: started)
      // What was removed leaves the write-ahead log too.
      _ = try? store.checkpoint()
    } catch {
      guard case .unusable(let reason) = error else {
        if case .stopped = error { for job in started { _ = try? store.releaseJob(job) } }
        throw error
      }
      // It cannot be fitted later either. The removed classes stay out of the answers until the next version.
      logger.error("a version could not be made", [LogField("error", .text(reason))])
      for job in started {
        _ = try storing { () throws(StorageError) in try store.failJob(job, error: reason) }
      }
    }
    return true
  }

  private func fail(_ taskID: Int64, job: Int64, reason: String) throws(LearningFailure) {
    logger.error("a task failed", [LogField("task", .integer(Int(taskID))), LogField("reason", .text(reason))])
    let event = NewEvent(kind: "failed", data: JSON.object(["reason": .string(reason)]).encodedText())
    _ = try storing { () throws(StorageError) in
      try store.failTask(taskID, job: job, reason: reason, event: event)
    }
    progress.end(taskID)
    events.notify(taskID)
  }
}

/// Why the learner could not go on.
package enum LearningFailure: Error, Sendable, CustomStringConvertible {
  /// The daemon stops.
  case stopped
  case storage(StorageError)
  /// The job was cancelled, or went with its task.
  case cancelled
  /// The task itself cannot be learned.
  case unusable(String)

  package var description: String {
    switch self {
    case .stopped: "stopped"
    case .cancelled: "cancelled"
    case .storage(let error): "\(error)"
    case .unusable(let reason): reason
    }
  }
}

/// Runs `body` with its error as a failure to learn.
func storing<Outcome>(_ body: () throws(StorageError) -> Outcome) throws(LearningFailure) -> Outcome {
  do throws(StorageError) { return try body() } catch { throw .storage(error) }
}
