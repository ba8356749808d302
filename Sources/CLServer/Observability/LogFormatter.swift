import Glibc

/// Turns records into lines, without the newline.
package struct LogFormatter: Sendable {
  package let format: LogFormat
  /// Whether the reader is the journal, which takes the level of a text line from `<N>` and has its own clock.
  package let journal: Bool

  package init(format: LogFormat, journal: Bool) {
    self.format = format
    self.journal = journal
  }

  package func line(_ record: LogRecord) -> String {
    switch format {
    case .text: text(record)
    case .json: json(record)
    }
  }

  /// Whether `descriptor` is the stream systemd connected to the journal: `JOURNAL_STREAM` has its device and inode.
  package static func isJournal(_ descriptor: Int32, environment: [String: String]) -> Bool {
    var status = stat()
    guard let stream = environment["JOURNAL_STREAM"], fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  private func text(_ record: LogRecord) -> String {
    var line = journal ? "<\(record.level.journalPriority)>" : "\(record.time.rfc3339) \(record.level.rawValue) "
    line += TextEscaping.withoutControls(record.message)
    for field in record.fields {
      line += " \(field.name)="
      switch field.value {
      case .text(let value): line += TextEscaping.logValue(value)
      case .integer(let value): line += String(value)
      case .number(let value): line += String(value)
      case .truth(let value): line += String(value)
      }
    }
    return line
  }

  private func json(_ record: LogRecord) -> String {
    var line = "{\"time\":\"\(record.time.rfc3339)\",\"level\":\"\(record.level.rawValue)\""
    line += ",\"message\":\(TextEscaping.json(record.message))"
    for field in record.fields {
      line += ",\(TextEscaping.json(field.name)):"
      switch field.value {
      case .text(let value): line += TextEscaping.json(value)
      case .integer(let value): line += String(value)
      case .number(let value): line += value.isFinite ? String(value) : TextEscaping.json(String(value))
      case .truth(let value): line += String(value)
      }
    }
    return line + "}"
  }
}
