/// What a command takes; parsing and help both come from it.
package struct CommandSpecification: Sendable {
  package struct Option: Sendable {
    /// With its dashes.
    package let flag: String
    /// Nil for a switch.
    package let placeholder: String?
    package let help: String

    package init(_ flag: String, _ placeholder: String?, _ help: String) {
      self.flag = flag
      self.placeholder = placeholder
      self.help = help
    }
  }

  package let name: String
  /// The operands in the usage line.
  package let operands: String
  package let operandCount: ClosedRange<Int>
  package let summary: String
  package let options: [Option]

  package var help: String {
    let usage = ["Usage: clserver", name, operands, options.isEmpty ? "" : "[OPTIONS]"]
    var lines = [usage.filter { !$0.isEmpty }.joined(separator: " "), "", summary]
    if !options.isEmpty {
      lines += ["", "Options:"]
      for option in options {
        lines.append("  " + ([option.flag] + [option.placeholder].compactMap { $0 }).joined(separator: " "))
        lines.append("      " + option.help)
      }
    }
    return lines.joined(separator: "\n")
  }

  /// What was given on the command line.
  package struct Parsed: Sendable, Equatable {
    package var operands: [String] = []
    package var values: [String: String] = [:]
    package var switches: Set<String> = []
  }

  /// Sorts arguments into operands, values and switches; `--` ends the options.
  package func parse(_ arguments: [String]) throws(UsageError) -> Parsed {
    var parsed = Parsed()
    var rest = arguments[...]
    var onlyOperands = false
    while let argument = rest.popFirst() {
      if onlyOperands || argument == "-" || !argument.hasPrefix("-") {
        parsed.operands.append(argument)
      } else if argument == "--" {
        onlyOperands = true
      } else {
        try take(argument, &rest, into: &parsed)
      }
    }
    guard operandCount.contains(parsed.operands.count) else {
      throw UsageError("\(name) takes \(operands.isEmpty ? "no operands" : operands); `clserver \(name) --help`")
    }
    return parsed
  }

  private func take(
    _ argument: String, _ rest: inout ArraySlice<String>, into parsed: inout Parsed
  ) throws(UsageError) {
    let flag = String(argument.prefix { $0 != "=" })
    let attached = flag.count < argument.count ? String(argument.dropFirst(flag.count + 1)) : nil
    guard let option = options.first(where: { $0.flag == flag }) else {
      let suggestion = Suggestion.nearest(to: flag, among: options.map(\.flag)).map { "; did you mean `\($0)`?" } ?? ""
      throw UsageError("\(name): unknown option `\(TextEscaping.withoutControls(flag))`\(suggestion)")
    }
    if option.placeholder == nil {
      guard attached == nil else { throw UsageError("\(flag) takes no value") }
      parsed.switches.insert(flag)
    } else {
      guard let value = attached ?? rest.popFirst() else { throw UsageError("\(flag) needs a value") }
      parsed.values[flag] = value
    }
  }
}
