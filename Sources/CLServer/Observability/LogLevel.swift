/// How severe a message is; the order is that of `allCases`.
package enum LogLevel: String, Sendable, CaseIterable, Comparable {
  case debug, info, warning, error

  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rank < right.rank }

  /// The number the journal reads from `<N>` at the start of a line (sd-daemon(3)).
  package var journalPriority: Int {
    switch self {
    case .debug: 7
    case .info: 6
    case .warning: 4
    case .error: 3
    }
  }

  private var rank: Int { -journalPriority }
}

/// How a line looks.
package enum LogFormat: String, Sendable, CaseIterable {
  case text, json
}
