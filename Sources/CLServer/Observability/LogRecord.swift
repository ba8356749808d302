/// The value of a field of a log line.
package enum LogValue: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
  case text(String)
  case integer(Int)
  case number(Double)
  case truth(Bool)

  package init(stringLiteral value: String) { self = .text(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(booleanLiteral value: Bool) { self = .truth(value) }
}

/// A named value beside the message.
package struct LogField: Sendable, Equatable {
  package let name: String
  package let value: LogValue

  package init(_ name: String, _ value: LogValue) {
    self.name = name
    self.value = value
  }
}

/// One log line before it is formatted.
package struct LogRecord: Sendable, Equatable {
  package let time: Timestamp
  package let level: LogLevel
  package let message: String
  package let fields: [LogField]

  package init(time: Timestamp, level: LogLevel, message: String, fields: [LogField]) {
    self.time = time
    self.level = level
    self.message = message
    self.fields = fields
  }
}
