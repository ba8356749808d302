/// The settings in words, made from the table.
package enum ConfigurationReference {
  /// What `clserver config --describe` prints and `docs/configuration.md` contains.
  package static var markdown: String {
    var lines = [
      "# Configuration",
      "",
      "Settings are read from a file (`--config FILE` or `CLSERVER_CONFIG`: lines of `key = value`, comments after `#`),",
      "then from the environment, then from flags; a later one wins. Key, variable and flag are one name in three",
      "spellings: `log_level`, `CLSERVER_LOG_LEVEL`, `--log-level`. Anything unknown is refused.",
      "`clserver config` prints the settings in force. The clients read `CLSERVER_SERVER` and `CLSERVER_KEY`.",
      "",
      "This page is made by `clserver config --describe`.",
    ]
    for section in Setting.Section.allCases {
      lines += ["", "## \(section.rawValue)", "", "| key | default | takes | what it does |", "|---|---|---|---|"]
      for setting in Setting.all where setting.section == section {
        let takes = setting.kind.expectation.replacing("|", with: "\\|")
        lines.append("| `\(setting.key)` | `\(setting.defaultValue)` | \(takes) | \(setting.summary) |")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The settings as flags, for `clserver serve --help`.
  package static var flagHelp: String {
    var lines = ["  --config PATH", "      File of settings; see docs/configuration.md."]
    for section in Setting.Section.allCases {
      lines += ["", "\(section.rawValue):"]
      for setting in Setting.all where setting.section == section {
        lines.append("  \(setting.flag) \(setting.kind.placeholder)")
        lines.append("      \(setting.summary) Default: \(setting.defaultValue).")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// The settings in force, as a file, each with where it came from.
  package static func effective(_ configuration: Configuration) -> String {
    Setting.all.map { setting in
      let source = configuration.origins[setting.key] ?? .builtIn
      return "# \(source)\n\(setting.key) = \(setting.value(in: configuration))\n"
    }.joined()
  }
}
