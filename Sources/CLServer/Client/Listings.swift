package import JSONTree

/// `GET /tasks` and `GET /classes` as tables. A member that is not there is a dash.
package enum Listings {
  /// Takes a list, or an object whose member `tasks` is one.
  package static func tasks(_ answer: JSON) -> String {
    let tasks = answer.array ?? answer["tasks"].array ?? []
    if tasks.isEmpty { return "no tasks yet; `clserver teach NAME DIR` adds one" }
    var table = TextTable(
      header: ["ID", "NAME", "LEARNER", "STATE", "SERVING", "CLASSES", "EXAMPLES"], rightAligned: [0, 5, 6])
    for task in tasks {
      let classes = task["classes"].array
      let examples = classes.map { $0.reduce(0) { $0 + ($1["examples"].integer ?? 0) } }
      table.add([
        cell(task["id"]), cell(task["name"]), cell(task["learner"]), cell(task["state"]),
        task["serving"].isTrue ? "yes" : "no", classes.map { String($0.count) } ?? "-",
        examples.map(String.init) ?? "-",
      ])
    }
    return table.text
  }

  /// Takes a list, or an object whose member `classes` is one.
  package static func classes(_ answer: JSON) -> String {
    let classes = answer.array ?? answer["classes"].array ?? []
    if classes.isEmpty { return "no classes yet; `clserver teach NAME DIR` adds some" }
    var table = TextTable(header: ["ID", "NAME", "TASK", "EXAMPLES", "HELD OUT"], rightAligned: [0, 2, 3, 4])
    for entry in classes {
      let task = entry["task_id"] == .null ? entry["task"] : entry["task_id"]
      table.add([cell(entry["id"]), cell(entry["name"]), cell(task), cell(entry["examples"]), cell(entry["held_out"])])
    }
    return table.text
  }

  private static func cell(_ value: JSON) -> String { value.plain ?? "-" }
}
