/// What the command line asks for.
package enum Command: Sendable, Equatable {
  case help(String)
  case version
  /// The flags that follow `serve`, not yet read.
  case serve([String])
  case configuration([String])
  case describe
  case client(ClientInvocation)

  /// - Parameter arguments: without the program's name.
  package static func parse(_ arguments: [String]) throws(UsageError) -> Command {
    guard let name = arguments.first else { throw UsageError("no command\n\n\(overview)") }
    let rest = Array(arguments.dropFirst())
    switch name {
    case "--version", "version": return .version
    case "--help", "-h", "help": return try help(rest)
    case _ where asksForHelp(rest): return try help([name])
    case "serve": return .serve(rest)
    case "config" where rest == ["--describe"]: return .describe
    case "config": return .configuration(rest)
    default:
      guard let specification = CommandSpecification.all.first(where: { $0.name == name }) else { throw unknown(name) }
      return .client(try ClientInvocation(specification, specification.parse(rest)))
    }
  }

  /// What `clserver --help` prints.
  package static var overview: String {
    var lines = [
      "Usage: clserver COMMAND [OPTIONS]",
      "",
      "A daemon you teach over HTTP, and its clients.",
      "",
      "Commands:",
      "  serve       Runs the server.",
    ]
    for specification in CommandSpecification.all {
      let summary = specification.summary.split(separator: "\n").first.map(String.init) ?? ""
      let name = specification.name
      lines.append("  " + name + String(repeating: " ", count: max(1, 12 - name.count)) + summary)
    }
    lines += ["", "`clserver COMMAND --help` tells more. `clserver --version` prints the version."]
    lines += ["Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 the server cannot be reached."]
    return lines.joined(separator: "\n")
  }

  private static let serveHelp = """
    Usage: clserver serve [OPTIONS]

    Runs the server until SIGTERM or SIGINT; a second one ends it at once. Each option is also a key of the file and a
    variable: --log-level, log_level, CLSERVER_LOG_LEVEL. Flags win over variables, variables over the file.

    """

  private static func help(_ topic: [String]) throws(UsageError) -> Command {
    guard let name = topic.first, !name.hasPrefix("-") else { return .help(overview) }
    if name == "serve" { return .help(serveHelp + ConfigurationReference.flagHelp) }
    guard let specification = CommandSpecification.all.first(where: { $0.name == name }) else { throw unknown(name) }
    return .help(specification.help)
  }

  private static func asksForHelp(_ arguments: [String]) -> Bool {
    arguments.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
  }

  private static func unknown(_ name: String) -> UsageError {
    let names = ["serve"] + CommandSpecification.all.map(\.name)
    let suggestion = Suggestion.nearest(to: name, among: names).map { "; did you mean `\($0)`?" } ?? ""
    let shown = TextEscaping.withoutControls(name)
    return UsageError("unknown command `\(shown)`\(suggestion.isEmpty ? "; `clserver --help` lists them" : suggestion)")
  }
}
