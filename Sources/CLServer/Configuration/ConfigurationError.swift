/// Where a value was given.
package enum SettingSource: Sendable, Equatable, CustomStringConvertible {
  case builtIn
  case file(path: String, line: Int)
  case environment(String)
  case flag(String)

  package var description: String {
    switch self {
    case .builtIn: "the default"
    case .file(let path, let line): "\(path):\(line)"
    case .environment(let name): "environment variable \(name)"
    case .flag(let name): name
    }
  }
}

/// Why a configuration is refused. Each message says what is wrong, where, and what would do.
package enum ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case notKeyAndValue(path: String, line: Int, text: String)
  case unknownKey(String, suggestion: String?, source: SettingSource)
  case repeatedKey(String, first: SettingSource, second: SettingSource)
  case missingValue(flag: String)
  case badValue(key: String, value: String, reason: String, source: SettingSource)

  package var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "cannot read the configuration file \(path): \(reason)"
    case .notKeyAndValue(let path, let line, let text):
      "\(path):\(line): expected `key = value`, found `\(escaped(text))`"
    case .unknownKey(let name, let suggestion, let source):
      unknown(name, source)
        + (suggestion.map { "; did you mean `\($0)`?" } ?? "; `clserver serve --help` lists them all")
    case .repeatedKey(let key, let first, let second):
      first == second ? "\(key) is given twice" : "\(second): `\(key)` is given twice; the first is at \(first)"
    case .missingValue(let flag):
      "\(flag) needs a value"
    case .badValue(let key, let value, let reason, let source):
      "\(source): `\(key)` cannot be `\(escaped(value))`: \(reason)"
    }
  }

  private func unknown(_ name: String, _ source: SettingSource) -> String {
    switch source {
    case .file, .builtIn: "\(source): unknown setting `\(escaped(name))`"
    case .environment: "unknown environment variable \(escaped(name))"
    case .flag: "unknown flag \(escaped(name))"
    }
  }

  /// Control characters never reach a terminal or a log.
  private func escaped(_ text: String) -> String { TextEscaping.withoutControls(text) }
}
