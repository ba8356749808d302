import Synchronization

/// The body of a response that is written over time: server-sent events, NDJSON. May be used from any thread.
///
/// A write never blocks. Bytes that the client has not taken wait in memory up to a bound; a stream that goes over it is
/// closed and the connection with it, so that the client sees a body without its end. A producer that can wait looks at
/// `bufferedBytes`. The client closing its side of the connection closes the stream too.
package final class ResponseStream: Sendable {
  private struct State {
    var isClosed: Bool
    var isFinished = false
    var buffered = 0
    var callbacks: [@Sendable () -> Void] = []
  }

  /// Whether the stream is ended when the server drains, as one without an end of its own has to be. A stream that is
  /// the answer to finite work is left to finish.
  package let endsOnDrain: Bool
  private let limit: Int
  private let state: Mutex<State>
  private let deliver: Responder.Destination

  init(limit: Int, isClosed: Bool, endsOnDrain: Bool, _ deliver: @escaping Responder.Destination) {
    self.limit = limit
    self.endsOnDrain = endsOnDrain
    self.deliver = deliver
    state = Mutex(State(isClosed: isClosed))
  }

  deinit {
    finish()
    close()
  }

  /// Whether the stream takes no more bytes: the client has gone, the server ended it, or it went over its bound.
  package var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Bytes written that the kernel has not taken yet.
  package var bufferedBytes: Int { state.withLock { $0.buffered } }

  /// Queues bytes; on a stream that is closed or finished it does nothing.
  package func write(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    // Delivered inside the lock, so that writes of several threads stay in the order they were counted.
    let overflow = state.withLock { state in
      if state.isClosed || state.isFinished { return false }
      let (sum, overflow) = state.buffered.addingReportingOverflow(bytes.count)
      if overflow || sum > limit { return true }
      state.buffered = sum
      deliver(.streamWrite(bytes))
      return false
    }
    if overflow {
      deliver(.streamAbort)
      close()
    }
  }

  /// Queues text as UTF-8.
  package func write(_ text: String) {
    write(Array(text.utf8))
  }

  /// Ends the body. Called by itself when the stream is dropped.
  package func finish() {
    state.withLock { state in
      if state.isClosed || state.isFinished { return }
      state.isFinished = true
      deliver(.streamFinish)
    }
  }

  /// Registers what to do once when the stream is over, for whatever reason, `finish` included; at once if it is over
  /// already. Called on a reactor thread, or on the thread whose write broke the bound or that dropped the stream: must
  /// return at once.
  package func onClose(_ callback: @escaping @Sendable () -> Void) {
    let now = state.withLock { state in
      if !state.isClosed { state.callbacks.append(callback) }
      return state.isClosed
    }
    if now { callback() }
  }

  /// The kernel took bytes.
  func consumed(_ count: Int) {
    state.withLock { $0.buffered = max(0, $0.buffered - count) }
  }

  /// The connection ended or the last byte was queued.
  func close() {
    let callbacks = state.withLock { state in
      state.isClosed = true
      defer { state.callbacks = [] }
      return state.callbacks
    }
    for callback in callbacks { callback() }
  }
}
