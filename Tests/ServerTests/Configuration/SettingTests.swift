import CLServer
import FoundationEssentials
import HTTP
import Testing

@Test func everyDefaultIsAllowedAndReadsBackAsItself() throws {
  for setting in Setting.all {
    var configuration = Configuration()
    try setting.apply(setting.defaultValue, from: .flag(setting.flag), to: &configuration)
    configuration.origins = [:]
    #expect(configuration == Configuration(), "\(setting.key)")
  }
}

@Test func everySettingWritesItsOwnField() throws {
  for setting in Setting.all {
    var configuration = Configuration()
    try setting.apply(other(than: setting), from: .flag(setting.flag), to: &configuration)
    let changed = Setting.all.filter { $0.value(in: configuration) != $0.defaultValue }.map(\.key)
    #expect(changed == [setting.key])
  }
}

/// An allowed value that is not the default.
private func other(than setting: Setting) -> String {
  let candidates: [String]
  switch setting.kind {
  case .integer(let range): candidates = [range.lowerBound, range.upperBound].map(String.init)
  case .bytes(let range): candidates = [range.lowerBound, range.upperBound].map(String.init)
  case .number(let range), .seconds(let range): candidates = [range.lowerBound, range.upperBound].map { String($0) }
  case .natural: candidates = ["99"]
  case .onOff: candidates = ["on", "off"]
  case .choice(let names): candidates = names
  case .path: candidates = ["/elsewhere"]
  case .address: candidates = ["0.0.0.0:1"]
  }
  return candidates.first { $0 != setting.defaultValue && $0 + ".0" != setting.defaultValue } ?? ""
}

@Test func namesAreUniqueAndOneNameInThreeSpellings() {
  #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
  let setting = Setting.named("log_level")
  #expect(setting?.environmentName == "CLSERVER_LOG_LEVEL")
  #expect(setting?.flag == "--log-level")
}

@Test func helpAndReferenceListEverySetting() throws {
  guard case .help(let help) = try Command.parse(["serve", "--help"]) else {
    Issue.record("no help")
    return
  }
  for setting in Setting.all {
    #expect(help.contains("  \(setting.flag) \(setting.kind.placeholder)\n      \(setting.summary)"))
    #expect(ConfigurationReference.markdown.contains("| `\(setting.key)` | `\(setting.defaultValue)` |"))
  }
}

@Test func thePrintedConfigurationCanBeReadAgain() throws {
  let text = ConfigurationReference.effective(Configuration())
  let configuration = try ConfigurationLoader.load(arguments: ["--config", "x"], environment: [:]) { _ in .success(text)
  }
  #expect(Setting.all.allSatisfy { $0.value(in: configuration) == $0.defaultValue })
}

/// `clserver config --describe > docs/configuration.md` makes it right again.
@Test func theCommittedReferenceIsTheGeneratedOne() throws {
  let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
  let committed = try String(contentsOfFile: root + "/docs/configuration.md", encoding: .utf8)
  #expect(committed == ConfigurationReference.markdown)
}

@Test(arguments: [
  ("0", 0), ("17", 17), ("1KiB", 1024), ("3 MiB", 3 << 20), ("2GiB", 2 << 30), ("5 B", 5),
])
func aSizeHasAUnit(_ text: String, _ bytes: Int) {
  #expect(ByteSize.parse(text) == bytes)
  #expect(ByteSize.parse(ByteSize.spell(bytes)) == bytes)
}

@Test(arguments: ["", "KiB", "-1", "1.5 MiB", "1 MB", "1  MiB", "9223372036854775807 GiB", "1kib", "٣"])
func aBrokenSizeIsRefused(_ text: String) {
  #expect(ByteSize.parse(text) == nil)
}

@Test func limitsOfTheHeadReachTheServer() throws {
  let configuration = try ConfigurationLoader.load(
    arguments: [
      "--request-line-bytes", "2KiB", "--header-bytes", "3KiB", "--header-fields", "4", "--trailer-bytes", "5KiB",
    ],
    environment: [:]
  ) { _ in .success("") }
  let http = configuration.httpConfiguration
  #expect(http.requestLineBytes == 2048 && http.headerBytes == 3072)
  #expect(http.headerFields == 4 && http.trailerBytes == 5120)
}
