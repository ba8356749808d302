/// Takes records; called from any thread, must return at once.
package protocol LogSink: Sendable {
  func write(_ record: LogRecord)
}

/// Writes structured log lines. A value: copy it, add fields with `with`, hand it on.
///
/// Below `level` neither the message nor the fields are evaluated. Formatting happens where the sink chooses, which for
/// `LogWriter` is its own thread.
package struct Logger: Sendable {
  package let level: LogLevel
  private let sink: any LogSink
  private let fields: [LogField]
  private let now: @Sendable () -> Timestamp

  package init(
    level: LogLevel, sink: any LogSink, fields: [LogField] = [],
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.level = level
    self.sink = sink
    self.fields = fields
    self.now = now
  }

  /// The same logger with fields on every line.
  package func with(_ more: LogField...) -> Logger {
    Logger(level: level, sink: sink, fields: fields + more, now: now)
  }

  package func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
    log(.debug, message(), fields())
  }

  package func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
    log(.info, message(), fields())
  }

  package func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
    log(.warning, message(), fields())
  }

  package func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []) {
    log(.error, message(), fields())
  }

  package func log(
    _ level: LogLevel, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [LogField] = []
  ) {
    guard level >= self.level else { return }
    sink.write(LogRecord(time: now(), level: level, message: message(), fields: self.fields + fields()))
  }
}
