/// The file's syntax: `key = value` lines, blank lines, and `#` comments on lines of their own or after a space.
package enum ConfigurationFile {
  package struct Entry: Equatable, Sendable {
    package let line: Int
    package let key: String
    package let value: String
  }

  /// Splits `text` into entries, in order; keys are not looked up here.
  package static func parse(_ text: String, path: String) throws(ConfigurationError) -> [Entry] {
    var entries: [Entry] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let content = trimmed(withoutComment(line))
      if content.isEmpty { continue }
      guard let equals = content.firstIndex(of: "=") else {
        throw .notKeyAndValue(path: path, line: index + 1, text: content)
      }
      let key = trimmed(content[..<equals])
      guard !key.isEmpty else { throw .notKeyAndValue(path: path, line: index + 1, text: content) }
      entries.append(Entry(line: index + 1, key: key, value: trimmed(content[content.index(after: equals)...])))
    }
    return entries
  }

  /// A `#` inside a word belongs to the word: paths may contain it.
  private static func withoutComment(_ line: Substring) -> Substring {
    var previous: Character = " "
    for index in line.indices {
      if line[index] == "#", previous == " " || previous == "\t" { return line[..<index] }
      previous = line[index]
    }
    return line
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var slice = Substring(text)
    while let first = slice.first, first.isWhitespace { slice.removeFirst() }
    while let last = slice.last, last.isWhitespace { slice.removeLast() }
    return String(slice)
  }
}
