import Glibc

/// What a signal asks for.
package enum SignalAction: Sendable, Equatable {
  /// Stop taking work, finish what runs.
  case drain
  /// End at once.
  case end
  /// Nothing to do but say so.
  case ignore
}

/// From signals to actions: the first SIGTERM or SIGINT drains, the next ends.
package struct ShutdownSequence: Sendable {
  private var draining = false

  package init() {}

  package mutating func receive(_ signal: Int32) -> SignalAction {
    guard signal == SIGTERM || signal == SIGINT else { return .ignore }
    defer { draining = true }
    return draining ? .end : .drain
  }
}

/// Receives signals on a thread of its own, where any code may run.
package enum SignalHandling {
  /// SIGTERM, SIGINT and SIGHUP are taken by `listen`; SIGPIPE becomes an error of write(2).
  ///
  /// Call on the main thread before any other thread exists: threads inherit the mask.
  package static func block() {
    signal(SIGPIPE, SIG_IGN)
    var signals = handled()
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// Calls `handler` for every signal until it was told to end. Give the thread to `SignalThread.deliver` in tests.
  @discardableResult
  package static func listen(_ handler: @escaping @Sendable (SignalAction, Int32) -> Void) -> SignalThread {
    let thread = SignalThread()
    NamedThread.start("signals") {
      var signals = handled()
      pthread_sigmask(SIG_BLOCK, &signals, nil)
      thread.started(pthread_self())
      var sequence = ShutdownSequence()
      var received: Int32 = 0
      while sigwait(&signals, &received) == 0 {
        let action = sequence.receive(received)
        handler(action, received)
        if action == .end { break }
      }
    }
    return thread
  }

  private static func handled() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
    return signals
  }
}

/// The thread that waits for signals.
package final class SignalThread: Sendable {
  private let identifier = WaitableLock<pthread_t?>(nil)

  fileprivate init() {}

  fileprivate func started(_ thread: pthread_t) {
    identifier.withLock { $0 = thread }
    identifier.signal()
  }

  /// Sends a signal to this thread alone.
  package func deliver(_ signal: Int32) {
    identifier.wait(until: { $0 != nil }) { if let thread = $0 { pthread_kill(thread, signal) } }
  }
}
