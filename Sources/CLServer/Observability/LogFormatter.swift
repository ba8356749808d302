/// Turns records into lines, without the newline.
package struct LogFormatter: Sendable {
  package let format: LogFormat
  /// Whether the reader is the journal, which takes the level from `<N>` and has its own clock.
  package let journal: Bool

  package init(format: LogFormat, journal: Bool) {
    self.format = format
    self.journal = journal
  }

  package func line(_ record: LogRecord) -> String {
    let prefix = journal ? "<\(record.level.journalPriority)>" : ""
    switch format {
    case .text: return prefix + text(record)
    case .json: return prefix + json(record)
    }
  }

  private func text(_ record: LogRecord) -> String {
    var line = journal ? "" : "\(record.time.rfc3339) \(record.level.rawValue) "
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
