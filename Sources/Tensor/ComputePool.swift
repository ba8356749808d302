internal import Glibc
internal import Synchronization

/// Worker threads for computation, a few for the whole process (one a core).
///
/// Urgent work (predictions) goes before background work (training): a free worker takes urgent work first, and
/// background work calls `yield()` at its tile boundaries, every few milliseconds, which runs waiting urgent work on
/// that thread before returning. A worker with nothing to do spins for some tens of microseconds, then sleeps.
///
/// Safe from every thread. `forEach` blocks its thread: never call it from Swift's cooperative pool.
package final class ComputePool: Sendable {
  /// Which queue work waits in.
  package enum Priority: Sendable { case urgent, background }

  /// How many worker threads there are, at least 1.
  package let workers: Int
  private let shared: ComputePoolState
  private let threads: Mutex<[pthread_t]>

  /// Starts `workers` threads (at least one). Traps when the system cannot start a thread.
  package init(workers: Int) {
    self.workers = max(1, workers)
    let shared = ComputePoolState()
    self.shared = shared
    threads = Mutex((0..<self.workers).map { ComputePoolState.startWorker(index: $0, state: shared) })
  }

  deinit { shutdown() }

  /// Enqueues one closure and returns at once. After `shutdown()` the closure runs on the calling thread.
  package func submit(_ priority: Priority, _ work: @escaping @Sendable () -> Void) {
    if !shared.enqueue(priority, copies: 1, work) { work() }
  }

  /// Runs `body(0..<count)` on the workers, each index once, and returns when all are done.
  ///
  /// Called from a worker, that worker runs indices itself, and while it waits for the last ones it serves urgent work
  /// if what it was doing is background work; so nested calls cannot deadlock.
  package func forEach(_ count: Int, priority: Priority, _ body: @escaping @Sendable (Int) -> Void) {
    guard count > 0 else { return }
    let job = ComputeJob(count: count, body: body)
    if let worker = shared.currentWorker {
      if count > 1, workers > 1 {
        _ = shared.enqueue(priority, copies: min(count, workers) - 1) { [shared] in job.runIndices(shared) }
      }
      job.runIndices(shared)
      shared.help(until: job, worker: worker)
    } else if shared.enqueue(priority, copies: min(count, workers), { [shared] in job.runIndices(shared) }) {
      shared.wait(for: job)
    } else {
      job.runIndices(shared)
    }
  }

  /// What `body` gives for each of `0..<count`, in order; runs as `forEach` does.
  package func map<Result: Sendable>(
    _ count: Int, priority: Priority, _ body: @escaping @Sendable (Int) -> Result
  ) -> [Result] {
    let found = Mutex([Result?](repeating: nil, count: count))
    forEach(count, priority: priority) { index in
      let result = body(index)
      found.withLock { $0[index] = result }
    }
    return found.withLock { $0.compactMap { $0 } }
  }

  /// Called by background work at tile boundaries: runs waiting urgent closures on this thread, and holds this thread back
  /// for some milliseconds while urgent work runs on others. Two atomic loads when there is none; does nothing on a
  /// thread that is not a worker running background work.
  package func yield() {
    guard
      shared.urgentCount.load(ordering: .relaxed) > 0 || shared.urgentRunning.load(ordering: .relaxed) > 0,
      let worker = shared.currentWorker
    else { return }
    shared.giveWay(worker)
  }

  /// Whether the calling thread is one of this pool's workers.
  package var isWorkerThread: Bool { shared.currentWorker != nil }

  /// Finishes what is queued, then ends and joins the threads. May be called more than once, and from a worker.
  package func shutdown() {
    let ending = threads.withLock { list in
      defer { list = [] }
      return list
    }
    guard !ending.isEmpty else { return }
    shared.stop()
    for thread in ending {
      if pthread_equal(thread, pthread_self()) != 0 { pthread_detach(thread) } else { pthread_join(thread, nil) }
    }
  }
}
