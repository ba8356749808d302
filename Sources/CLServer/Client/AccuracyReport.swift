package import JSONTree

/// `GET /accuracy` for people: the matrix R (accuracy on task j after task i) and what follows from it.
package enum AccuracyReport {
  package static func text(_ answer: JSON) -> String {
    let tasks = answer["tasks"].array ?? []
    let rows = answer["matrix"].array ?? []
    if tasks.isEmpty || rows.isEmpty { return "nothing measured yet" }
    let names = tasks.map { $0["name"].plain ?? "?" }
    let last = rows.count - 1
    var lines = ["Accuracy on each task (columns) after each task was taught (rows), n held-out examples:", ""]
    lines += [matrix(names, answer), ""]
    lines += ["After the last task:", "", lastRow(names, answer, last), ""]
    lines.append(summary(answer))
    let notes = answer["notes"].object ?? [:]
    for (name, note) in notes.sorted(by: { $0.key < $1.key }) {
      if let note = note.text { lines.append(TextEscaping.withoutControls("note, \(name): \(note)")) }
    }
    return lines.joined(separator: "\n")
  }

  private static func matrix(_ names: [String], _ answer: JSON) -> String {
    var table = TextTable(
      header: ["AFTER"] + names.map(TextEscaping.withoutControls), rightAligned: Set(1...names.count))
    for (i, row) in (answer["matrix"].array ?? []).enumerated() {
      let cells = (0..<names.count).map { j -> String in
        guard let value = row[j].double else { return j <= i ? "-" : "" }
        let count = answer["counts"][i][j].integer.map { " (\($0))" } ?? ""
        return Figures.percent(value) + count
      }
      table.add([i < names.count ? names[i] : "?"] + cells)
    }
    return table.text
  }

  private static func lastRow(_ names: [String], _ answer: JSON, _ row: Int) -> String {
    var table = TextTable(header: ["TASK", "ACCURACY", "N", "95 % INTERVAL"], rightAligned: [1, 2])
    for (j, name) in names.enumerated() {
      let count = answer["counts"][row][j].integer.map(String.init) ?? "-"
      let bounds = interval(answer["intervals"]["matrix"][row][j], Figures.percent)
      table.add([name, Figures.percent(answer["matrix"][row][j].double), count, bounds])
    }
    return table.text
  }

  private static func summary(_ answer: JSON) -> String {
    var table = TextTable(header: ["MEASURE", "VALUE", "95 % INTERVAL"], rightAligned: [1])
    let shares = [("average accuracy", "average"), ("average incremental accuracy", "average_incremental")]
    let differences = [("forgetting", "forgetting"), ("backward transfer", "backward_transfer")]
    for (title, name) in shares {
      let bounds = interval(answer["intervals"][name], Figures.percent)
      table.add([title, Figures.percent(answer[name].double), bounds])
    }
    for (title, name) in differences {
      let bounds = interval(answer["intervals"][name], Figures.points)
      let value = Figures.points(answer[name].double)
      table.add([title, value == "-" ? value : value + " points", bounds])
    }
    return table.text
  }

  /// Takes `[low, high]` or `{"low", "high"}`; a dash for anything else.
  private static func interval(_ value: JSON, _ figure: (Double?) -> String) -> String {
    guard let low = value[0].double ?? value["low"].double, let high = value[1].double ?? value["high"].double
    else { return "-" }
    return "\(figure(low)) to \(figure(high))"
  }
}
