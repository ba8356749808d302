/// A bounded queue with threads of its own, for work that may block: reading a database, checking an upload.
///
/// Nothing here runs on Swift's cooperative pool or on a reactor.
package final class WorkQueue: Sendable {
  private struct State {
    var work: [@Sendable () -> Void] = []
    var isClosed = false
    var running = 0
  }

  /// How many closures may wait.
  package let capacity: Int
  private let state = WaitableLock(State())

  /// Starts `threads` threads named `name`.
  package init(name: String, threads: Int, capacity: Int) {
    self.capacity = capacity
    for _ in 0..<threads { NamedThread.start(name) { [self] in run() } }
  }

  /// Queues a closure; false when the queue is full or closed, and then the closure is never run.
  package func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
    let accepted = state.withLock { state in
      guard !state.isClosed, state.work.count < capacity else { return false }
      state.work.append(work)
      return true
    }
    if accepted { state.signal() }
    return accepted
  }

  /// Takes no more work, and waits until what was queued is done or `seconds` have passed.
  package func close(within seconds: Double) {
    state.withLock { $0.isClosed = true }
    state.signal()
    _ = state.wait(seconds: seconds, until: { $0.work.isEmpty && $0.running == 0 })
  }

  private func run() {
    while true {
      let next: (@Sendable () -> Void)? = state.wait(until: { !$0.work.isEmpty || $0.isClosed }) { state in
        if state.work.isEmpty { return nil }
        state.running += 1
        return state.work.removeFirst()
      }
      guard let next else { return }
      next()
      state.withLock { $0.running -= 1 }
      state.signal()
    }
  }
}
