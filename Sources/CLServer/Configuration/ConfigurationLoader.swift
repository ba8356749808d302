/// Puts a configuration together: defaults, then the file, then the environment, then the flags.
package enum ConfigurationLoader {
  /// Variables of this prefix that are not settings of the server: the file, and what the clients read.
  package static let otherVariables = ["CLSERVER_CONFIG", "CLSERVER_SERVER", "CLSERVER_KEY"]

  /// - Parameters:
  ///   - arguments: what follows `serve`; `--flag value` or `--flag=value`.
  ///   - environment: every variable of the process; those without the prefix are ignored.
  ///   - readFile: the text of a file, or why it cannot be read.
  package static func load(
    arguments: [String], environment: [String: String],
    readFile: (String) -> Result<String, FileProblem>
  ) throws(ConfigurationError) -> Configuration {
    let flags = try parseFlags(arguments)
    var configuration = Configuration()
    if let path = flags.configurationFile ?? environment["CLSERVER_CONFIG"] {
      try applyFile(path, readFile, to: &configuration)
    }
    try applyEnvironment(environment, to: &configuration)
    for (setting, value) in flags.values {
      try setting.apply(value, from: .flag(setting.flag), to: &configuration)
    }
    try checkTogether(configuration)
    return configuration
  }

  /// Why a file cannot be read.
  package struct FileProblem: Error, Sendable {
    package let reason: String

    package init(reason: String) { self.reason = reason }
  }

  private static func applyFile(
    _ path: String, _ readFile: (String) -> Result<String, FileProblem>, to configuration: inout Configuration
  ) throws(ConfigurationError) {
    let text: String
    switch readFile(path) {
    case .success(let content): text = content
    case .failure(let problem): throw .unreadable(path: path, reason: problem.reason)
    }
    var seen: [String: SettingSource] = [:]
    for entry in try ConfigurationFile.parse(text, path: path) {
      let source = SettingSource.file(path: path, line: entry.line)
      guard let setting = Setting.named(entry.key) else {
        let suggestion = Suggestion.nearest(to: entry.key, among: Setting.all.map(\.key))
        throw .unknownKey(entry.key, suggestion: suggestion, source: source)
      }
      if let first = seen.updateValue(source, forKey: entry.key) {
        throw .repeatedKey(entry.key, first: first, second: source)
      }
      try setting.apply(entry.value, from: source, to: &configuration)
    }
  }

  private static func applyEnvironment(
    _ environment: [String: String], to configuration: inout Configuration
  ) throws(ConfigurationError) {
    let names = environment.keys.filter { $0.hasPrefix("CLSERVER_") && !otherVariables.contains($0) }.sorted()
    for name in names {
      guard let setting = Setting.all.first(where: { $0.environmentName == name }) else {
        let suggestion = Suggestion.nearest(to: name, among: Setting.all.map(\.environmentName) + otherVariables)
        throw .unknownKey(name, suggestion: suggestion, source: .environment(name))
      }
      try setting.apply(environment[name] ?? "", from: .environment(name), to: &configuration)
    }
  }

  private struct Flags {
    var configurationFile: String?
    var values: [(setting: Setting, value: String)] = []
  }

  private static func parseFlags(_ arguments: [String]) throws(ConfigurationError) -> Flags {
    var flags = Flags()
    var seen: Set<String> = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let name = String(argument.prefix { $0 != "=" })
      guard let setting = Setting.all.first(where: { $0.flag == name }) ?? configurationFlag(name) else {
        let suggestion = Suggestion.nearest(to: name, among: Setting.all.map(\.flag) + ["--config"])
        throw .unknownKey(name, suggestion: suggestion, source: .flag(name))
      }
      guard seen.insert(name).inserted else {
        throw .repeatedKey(name, first: .flag(name), second: .flag(name))
      }
      let value: String
      if name.count < argument.count {
        value = String(argument.dropFirst(name.count + 1))
      } else if let next = rest.popFirst() {
        value = next
      } else {
        throw .missingValue(flag: name)
      }
      if name == "--config" { flags.configurationFile = value } else { flags.values.append((setting, value)) }
    }
    return flags
  }

  /// `--config` takes a value like a setting but is none: it cannot be set by the file it names.
  private static func configurationFlag(_ name: String) -> Setting? {
    guard name == "--config" else { return nil }
    return Setting("config", .server, .path, "", read: { _ in .text("") }, write: { _, _ in })
  }

  /// Limits that contradict each other would only show as requests nobody can send.
  private static func checkTogether(_ configuration: Configuration) throws(ConfigurationError) {
    let pairs = [
      (lesser: "predict_body_bytes", greater: "maximum_buffered_bytes"),
      (lesser: "task_body_bytes", greater: "maximum_buffered_bytes"),
      (lesser: "other_body_bytes", greater: "maximum_buffered_bytes"),
      (lesser: "maximum_item_bytes", greater: "maximum_unpacked_bytes"),
      (lesser: "predict_inputs", greater: "predict_queue"),
    ]
    for pair in pairs {
      guard let lesser = size(pair.lesser, configuration), let greater = size(pair.greater, configuration),
        lesser > greater
      else { continue }
      let blamed = configuration.origins[pair.lesser] == nil ? pair.greater : pair.lesser
      let limit = Setting.named(pair.greater)?.value(in: configuration) ?? ""
      let reason = "`\(pair.lesser)` must not be above `\(pair.greater)` (\(limit))"
      throw configuration.refusal(of: blamed, reason: reason)
    }
  }

  private static func size(_ key: String, _ configuration: Configuration) -> Int? {
    Setting.named(key).flatMap { ByteSize.parse($0.value(in: configuration)) }
  }
}
