import Glibc
import Synchronization

/// A sink that formats and writes on a thread of its own, so that a slow reader of standard error delays nobody.
///
/// The queue is bounded: when it is full, records are dropped and counted, and a line says how many once there is room.
package final class LogWriter: LogSink {
  private struct State: ~Copyable {
    var queue: [LogRecord] = []
    var dropped = 0
    var closing = false
  }

  private let state: WaitableLock<State>
  private let formatter: LogFormatter
  private let descriptor: Int32
  private let capacity: Int
  private let dropTotal = Atomic<Int>(0)
  private let now: @Sendable () -> Timestamp

  /// - Parameters:
  ///   - descriptor: where lines go; stays open. A write that fails loses its lines and nothing else.
  ///   - capacity: records that may wait.
  package init(
    formatter: LogFormatter, descriptor: Int32 = STDERR_FILENO, capacity: Int = 8192,
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.formatter = formatter
    self.descriptor = descriptor
    self.capacity = capacity
    self.now = now
    state = WaitableLock(State())
    NamedThread.start("log") { self.run() }
  }

  /// A writer to standard error, as `configuration` and the environment (`JOURNAL_STREAM`) ask.
  package static func standardError(_ configuration: Configuration, environment: [String: String]) -> LogWriter {
    let journal = LogFormatter.isJournal(STDERR_FILENO, environment: environment)
    return LogWriter(formatter: LogFormatter(format: configuration.logFormat, journal: journal))
  }

  /// How many records were dropped since the start.
  package var dropped: Int { dropTotal.load(ordering: .relaxed) }

  package func write(_ record: LogRecord) {
    let lost = state.withLock { state in
      if state.queue.count >= capacity || state.closing {
        state.dropped += 1
        return true
      }
      state.queue.append(record)
      return false
    }
    if lost { dropTotal.add(1, ordering: .relaxed) }
    state.signal()
  }

  /// Writes what waits and ends the thread; returns after `seconds` even if the reader of the lines is stuck.
  package func close(within seconds: Double = 2) {
    state.withLock { $0.closing = true }
    state.signal()
    finished.wait(seconds: seconds)
  }

  private let finished = Gate()

  private func run() {
    while true {
      let (records, dropped, closing) = state.wait(until: { !$0.queue.isEmpty || $0.closing }) { state in
        let taken = (state.queue, state.dropped, state.closing)
        state.queue = []
        state.dropped = 0
        return taken
      }
      var text = ""
      for record in records { text += formatter.line(record) + "\n" }
      if dropped > 0 {
        let fields = [LogField("dropped", .integer(dropped))]
        let record = LogRecord(time: now(), level: .warning, message: "log lines dropped", fields: fields)
        text += formatter.line(record) + "\n"
      }
      FileDescriptorWriting.writeAll(text, to: descriptor)
      if closing { break }
    }
    finished.open()
  }
}
