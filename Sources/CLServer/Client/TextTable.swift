/// Columns of text, padded to their widest cell.
package struct TextTable {
  private var rows: [[String]]
  private let rightAligned: Set<Int>

  /// - Parameter rightAligned: the columns of numbers.
  package init(header: [String], rightAligned: Set<Int> = []) {
    rows = [header]
    self.rightAligned = rightAligned
  }

  package mutating func add(_ row: [String]) { rows.append(row.map(TextEscaping.withoutControls)) }

  /// Lines joined by newlines, without one at the end.
  package var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
    let lines = rows.map { row in
      row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return rightAligned.contains(column) ? padding + cell : cell + padding
      }.joined(separator: "  ")
    }
    return lines.map(withoutTrailingSpaces).joined(separator: "\n")
  }

  private func withoutTrailingSpaces(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
  }
}
