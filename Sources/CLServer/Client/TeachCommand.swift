import Glibc
package import JSONTree

/// `clserver teach NAME DIR`: packs the folder, sends it, follows the task and says how well it was learned.
package struct TeachCommand {
  private static let secondsBetweenLooks = 0.25
  /// A server that restarts goes on with the task by itself; so does the client.
  private static let secondsOfPatience = 60.0

  let client: APIClient
  let output: ClientOutput
  let json: Bool
  let temporaryDirectory: String

  func run(_ request: TeachRequest) throws(ClientError) {
    var bar = ProgressBar(output)
    defer { bar.finish() }
    let body = try upload(request, &bar)
    guard let task = JSON.parse(body), let id = task["id"].integer else {
      throw .unexpectedAnswer("a task without an id")
    }
    if request.wait == .none {
      if json { output.printRaw(body) } else { output.print("task \(id) accepted") }
      return
    }
    let last = try follow(id, until: request.wait, &bar)
    bar.finish()
    try report(last.task, raw: last.body, id: id)
  }

  private func upload(_ request: TeachRequest, _ bar: inout ProgressBar) throws(ClientError) -> [UInt8] {
    let folder = try ImageFolder(request.directory)
    for path in folder.skipped.prefix(10) {
      output.tell("skipped, not CLASS/FILE or CLASS/GROUP/FILE: \(TextEscaping.withoutControls(path))")
    }
    if folder.skipped.count > 10 { output.tell("skipped \(folder.skipped.count - 10) more") }
    let file = try TemporaryFile(directory: temporaryDirectory)
    try TarPacker.pack(folder, to: file.descriptor)
    let size = file.size
    output.tell("\(folder.items.count) files in \(folder.classCount) classes, \(ByteSize.approximate(size))")

    var query = [(name: "name", value: request.name)]
    if let learner = request.learner { query.append(("learner", learner)) }
    if let holdout = request.holdout { query.append(("holdout", String(holdout))) }
    if request.extend { query.append(("extend", "true")) }
    let content = CurlExchange.Body.file(
      descriptor: file.descriptor, size: size, contentType: "application/x-tar")
    var shown = bar
    defer { bar = shown }
    return try client.send(
      "POST", "/tasks", query: query, body: content, idempotencyKey: TeachCommand.randomKey()
    ) { sent, total in
      if total > 0 { shown.show("sending", done: sent, total: total) }
    }
  }

  private func follow(
    _ id: Int, until wait: TeachRequest.Wait, _ bar: inout ProgressBar
  ) throws(ClientError) -> (task: JSON, body: [UInt8]) {
    var silence = 0.0
    while true {
      do {
        let body = try client.send("GET", "/tasks/\(id)")
        let task = JSON.parse(body) ?? .null
        if TeachCommand.isOver(task, wait) { return (task, body) }
        silence = 0
        show(task, &bar)
      } catch {
        guard case .unreachable = error, silence < Self.secondsOfPatience else { throw error }
        silence += Self.secondsBetweenLooks
      }
      usleep(UInt32(Self.secondsBetweenLooks * 1e6))
    }
  }

  private func show(_ task: JSON, _ bar: inout ProgressBar) {
    let progress = task["progress"]
    guard let total = progress["total"].integer, total > 0 else { return }
    let phase = TextEscaping.withoutControls(progress["phase"].plain ?? task["state"].plain ?? "working")
    let left = progress["seconds_left"].double.map { "\(Figures.duration($0)) left" } ?? ""
    bar.show(phase, done: progress["done"].integer ?? 0, total: total, note: left)
  }

  /// Whether there is nothing more to wait for.
  package static func isOver(_ task: JSON, _ wait: TeachRequest.Wait) -> Bool {
    let state = task["state"].text ?? ""
    return ["ready", "failed", "cancelled"].contains(state) || (wait == .serving && task["serving"].isTrue)
  }

  private func report(_ task: JSON, raw: [UInt8], id: Int) throws(ClientError) {
    if json { output.printRaw(raw) }
    for item in task["rejected"].array ?? [] {
      let name = item["name"].plain ?? item["index"].plain ?? "?"
      output.tell(TextEscaping.withoutControls("rejected \(name): \(item["reason"].plain ?? "no reason given")"))
    }
    let state = task["state"].text ?? ""
    if state == "failed" || state == "cancelled" {
      let reason = task["error"].plain ?? task["error"]["detail"].plain
      throw .taskFailed("task \(id) \(state)\(reason.map { ": \($0)" } ?? "")")
    }
    if json { return }
    output.print("task \(id) \(task["serving"].isTrue ? "answers" : "is \(state)"): \(classes(task))")
    for candidate in task["candidates"].array ?? [] {
      let name = TextEscaping.withoutControls(candidate["head"].plain ?? "?")
      let served = candidate["served"].isTrue ? " (served)" : ""
      output.print("  \(name): \(Figures.percent(candidate["accuracy"].double))\(served)")
    }
    if let accuracy = try? client.send("GET", "/accuracy"), let line = TeachCommand.accuracyLine(accuracy, id: id) {
      output.print(line)
    }
  }

  /// The task's own accuracy and the average, from `GET /accuracy`; nil when the task was not measured.
  package static func accuracyLine(_ body: [UInt8], id: Int) -> String? {
    guard let answer = JSON.parse(body), let row = answer["matrix"].array?.last,
      let column = answer["tasks"].array?.firstIndex(where: { $0["id"].integer == id }),
      let own = row[column].double
    else { return nil }
    let count = answer["counts"].array?.last?[column].integer.map { " on \($0) held-out examples" } ?? ""
    let average = answer["average"].double.map { ", \(Figures.percent($0)) on average over all tasks" } ?? ""
    return "accuracy: \(Figures.percent(own))\(count)\(average)"
  }

  private func classes(_ task: JSON) -> String {
    let classes = task["classes"].array ?? []
    let examples = classes.reduce(0) { $0 + ($1["examples"].integer ?? 0) }
    let heldOut = classes.reduce(0) { $0 + ($1["held_out"].integer ?? 0) }
    return "\(classes.count) classes, \(examples) examples, \(heldOut) held out"
  }

  /// 128 random bits in hexadecimal.
  private static func randomKey() -> String {
    (0..<4).map { _ in
      let digits = String(UInt32.random(in: .min ... .max), radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }
}
