internal import Glibc
internal import Synchronization

/// What a worker thread is doing; only that thread touches it.
final class ComputeWorker {
  let index: Int
  var running: ComputePool.Priority?

  init(index: Int) { self.index = index }
}

/// Closures in the order they came.
struct WorkQueue {
  private var items: [(@Sendable () -> Void)?] = []
  private var head = 0

  var isEmpty: Bool { head == items.count }

  mutating func append(_ work: @escaping @Sendable () -> Void) { items.append(work) }

  mutating func popFirst() -> (@Sendable () -> Void)? {
    guard head < items.count else { return nil }
    let work = items[head]
    items[head] = nil
    head += 1
    if head == items.count {
      items.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 64, head * 2 >= items.count {
      items.removeFirst(head)
      head = 0
    }
    return work
  }
}

/// The queues and sleeping places the workers of one pool share. Everything mutable is guarded by `monitor`, except the
/// counters, which let spinning workers and `yield` look without the lock.
final class ComputePoolState: @unchecked Sendable {
  /// Closures waiting in the urgent queue, and in both.
  let urgentCount = Atomic<Int>(0)
  /// Urgent closures that run now.
  let urgentRunning = Atomic<Int>(0)
  private let queuedCount = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)

  private let monitor = Monitor()
  private var urgent = WorkQueue()
  private var background = WorkQueue()
  private var sleeping = 0
  private let workerKey: pthread_key_t

  /// How long an idle worker looks for work before it sleeps: waking a sleeping thread costs about this much.
  private static let spinNanoseconds: UInt64 = 40_000

  /// How long background work is held back at each tile boundary while urgent work runs elsewhere: three times a tile, so
  /// that it keeps a quarter of its time under a steady load of predictions and always comes to its end.
  private static let holdBackNanoseconds: UInt64 = 6_000_000

  init() {
    var key = pthread_key_t()
    precondition(pthread_key_create(&key, nil) == 0, "pthread_key_create")
    workerKey = key
  }

  deinit { pthread_key_delete(workerKey) }

  /// The calling thread's worker, or nil on a thread that is not of this pool.
  var currentWorker: ComputeWorker? {
    guard let raw = pthread_getspecific(workerKey) else { return nil }
    return Unmanaged<ComputeWorker>.fromOpaque(raw).takeUnretainedValue()
  }

  // MARK: Queues

  /// Puts `copies` of a closure in a queue. False when the pool has been shut down, except from a worker, which empties
  /// the queues before it ends.
  func enqueue(_ priority: ComputePool.Priority, copies: Int, _ work: @escaping @Sendable () -> Void) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    if stopping.load(ordering: .relaxed), currentWorker == nil { return false }
    for _ in 0..<copies {
      if priority == .urgent { urgent.append(work) } else { background.append(work) }
    }
    if priority == .urgent { urgentCount.wrappingAdd(copies, ordering: .relaxed) }
    queuedCount.wrappingAdd(copies, ordering: .releasing)
    // All of them: one alone might be a worker in `help` that may not take this work.
    if sleeping > 0 { monitor.wakeAll(.work) }
    return true
  }

  /// Takes the next closure; the lock is held.
  private func popLocked(urgentOnly: Bool) -> (work: @Sendable () -> Void, priority: ComputePool.Priority)? {
    if let work = urgent.popFirst() {
      urgentCount.wrappingSubtract(1, ordering: .relaxed)
      queuedCount.wrappingSubtract(1, ordering: .relaxed)
      return (work, .urgent)
    }
    guard !urgentOnly, let work = background.popFirst() else { return nil }
    queuedCount.wrappingSubtract(1, ordering: .relaxed)
    return (work, .background)
  }

  private func run(_ work: @Sendable () -> Void, as priority: ComputePool.Priority, on worker: ComputeWorker) {
    let outer = worker.running
    worker.running = priority
    if priority == .urgent { urgentRunning.wrappingAdd(1, ordering: .relaxed) }
    work()
    if priority == .urgent { urgentRunning.wrappingSubtract(1, ordering: .relaxed) }
    worker.running = outer
  }

  // MARK: What callers wait for

  /// Runs waiting urgent closures, if the worker is in background work.
  func serveUrgent(_ worker: ComputeWorker) {
    guard worker.running == .background else { return }
    while true {
      monitor.lock()
      let item = popLocked(urgentOnly: true)
      monitor.unlock()
      guard let item else { return }
      run(item.work, as: .urgent, on: worker)
    }
  }

  /// Runs waiting urgent closures; while others run on other workers, holds background work back for a while, because
  /// workers share caches, memory and often a core.
  func giveWay(_ worker: ComputeWorker) {
    guard worker.running == .background else { return }
    serveUrgent(worker)
    let deadline = Self.now() + Self.holdBackNanoseconds
    while urgentRunning.load(ordering: .relaxed) > 0, Self.now() < deadline {
      usleep(100)
      if urgentCount.load(ordering: .relaxed) > 0 { serveUrgent(worker) }
    }
  }

  /// A worker waits for the last indices of its job, which run on other workers; meanwhile it serves urgent work.
  func help(until job: ComputeJob, worker: ComputeWorker) {
    let deadline = Self.now() + Self.spinNanoseconds
    while !job.isDone, Self.now() < deadline {
      if urgentCount.load(ordering: .relaxed) > 0 { serveUrgent(worker) }
    }
    monitor.lock()
    while !job.isDone {
      if worker.running == .background, !urgent.isEmpty {
        monitor.unlock()
        serveUrgent(worker)
        monitor.lock()
        continue
      }
      sleeping += 1
      monitor.wait(.work)
      sleeping -= 1
    }
    monitor.unlock()
  }

  /// A thread outside the pool sleeps until the job is done.
  func wait(for job: ComputeJob) {
    monitor.lock()
    while !job.isDone { monitor.wait(.finished) }
    monitor.unlock()
  }

  func announceFinished() {
    monitor.lock()
    monitor.wakeAll(.finished)
    if sleeping > 0 { monitor.wakeAll(.work) }
    monitor.unlock()
  }

  func stop() {
    monitor.lock()
    stopping.store(true, ordering: .relaxed)
    monitor.wakeAll(.work)
    monitor.unlock()
  }

  // MARK: Worker threads

  private final class Start {
    let worker: ComputeWorker
    let state: ComputePoolState
    init(worker: ComputeWorker, state: ComputePoolState) {
      self.worker = worker
      self.state = state
    }
  }

  static func startWorker(index: Int, state: ComputePoolState) -> pthread_t {
    let start = Unmanaged.passRetained(Start(worker: ComputeWorker(index: index), state: state))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        start.state.workerLoop(start.worker)
        return nil
      }, start.toOpaque())
    precondition(result == 0, "pthread_create failed with \(result)")
    return thread
  }

  private func workerLoop(_ worker: ComputeWorker) {
    Self.nameThread("compute-\(worker.index)")
    let handle = Unmanaged.passRetained(worker)
    pthread_setspecific(workerKey, handle.toOpaque())
    while let item = nextItem() { run(item.work, as: item.priority, on: worker) }
    pthread_setspecific(workerKey, nil)
    handle.release()
  }

  /// The next closure, after spinning and sleeping as needed; nil when the pool ends and the queues are empty.
  private func nextItem() -> (work: @Sendable () -> Void, priority: ComputePool.Priority)? {
    let deadline = Self.now() + Self.spinNanoseconds
    repeat {
      if queuedCount.load(ordering: .acquiring) > 0 || stopping.load(ordering: .relaxed) { break }
    } while Self.now() < deadline
    monitor.lock()
    defer { monitor.unlock() }
    while true {
      if let item = popLocked(urgentOnly: false) { return item }
      if stopping.load(ordering: .relaxed) { return nil }
      sleeping += 1
      monitor.wait(.work)
      sleeping -= 1
    }
  }

  /// Names the calling thread for debuggers and `top`: through /proc, since Glibc's module lacks pthread_setname_np.
  private static func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, strlen($0)) }
    close(file)
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
