/// One thing that can be set: its names, how a value is read, and how it is described.
///
/// The key of the file, the environment variable and the flag are one name in three spellings:
/// `log_level`, `CLSERVER_LOG_LEVEL`, `--log-level`.
package struct Setting: Sendable {
  /// The key in the file.
  package let key: String
  package let section: Section
  package let kind: ValueKind
  /// One sentence: what it does.
  package let summary: String

  private let read: @Sendable (Configuration) -> SettingValue
  private let write: @Sendable (inout Configuration, SettingValue) -> Void

  package init(
    _ key: String, _ section: Section, _ kind: ValueKind, _ summary: String,
    read: @escaping @Sendable (Configuration) -> SettingValue,
    write: @escaping @Sendable (inout Configuration, SettingValue) -> Void
  ) {
    self.key = key
    self.section = section
    self.kind = kind
    self.summary = summary
    self.read = read
    self.write = write
  }

  package var environmentName: String { "CLSERVER_" + key.uppercased() }
  package var flag: String { "--" + key.replacing("_", with: "-") }
  package var defaultValue: String { value(in: Configuration()) }

  /// The value as the file would spell it.
  package func value(in configuration: Configuration) -> String { kind.spell(read(configuration)) }

  /// Reads `text` into `configuration` and remembers where it came from.
  package func apply(
    _ text: String, from source: SettingSource, to configuration: inout Configuration
  ) throws(ConfigurationError) {
    switch kind.parse(text) {
    case .success(let value):
      write(&configuration, value)
      configuration.origins[key] = source
    case .failure(let problem):
      throw .badValue(key: key, value: text, reason: problem.reason, source: source)
    }
  }

  /// Nil when there is no such key.
  package static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

  /// The headings of the reference.
  package enum Section: String, Sendable, CaseIterable {
    case server = "Server"
    case computation = "Computation"
    case learning = "Learning"
    case prompts = "Prompts"
    case experts = "Experts"
    case logging = "Logging"
    case connections = "Connections"
    case requests = "Requests"
    case queues = "Queues"
  }
}
