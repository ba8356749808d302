import HTTP
import JSONTree
import Storage

extension API {
  func addTaskRoutes(to router: inout Router) {
    add(.get, "/tasks", to: &router, reading { _ in try taskList() })
    router.on(
      .post, "/tasks", bodyLimit: configuration.taskBodyBytes, bodyLimitSetting: "task_body_bytes",
      uploading { try teach($0, to: nil) })
    add(.get, "/tasks/{id}", to: &router, reading { try task(try Self.id($0, "task")).response() })
    add(
      .delete, "/tasks/{id}", to: &router,
      removing("task") { try store.deleteTask($0, actor: $1, jobKind: JobKind.rebuild) })
    add(.post, "/tasks/{id}/cancel", to: &router, writing { try cancelTask(try Self.id($0, "task")) })
    add(.get, "/tasks/{id}/events", to: &router) { request, responder in followEvents(request, responder) }
  }

  /// Accepts examples for a new task, or for one that exists.
  func teach(_ request: HTTPRequest, to task: Int64?) throws -> HTTPResponse {
    let meaning = try TeachingRequest(request, limits: IntakeLimits(configuration))
    let answer = try teaching.teach(
      meaning, to: task, idempotency: try IdempotencyRequest(request, meaning: meaning))
    var response = HTTPResponse.json(answer.response.status, answer.response.body)
    if let location = answer.response.location { response.headers.add("Location", location) }
    if answer.isReplay { response.headers.add("Idempotent-Replayed", "true") }
    return response
  }

  private func taskList() throws -> HTTPResponse {
    let (tasks, classes) = (try store.tasks(), try store.classes())
    let counts = Dictionary(grouping: try store.exampleCounts(), by: \.taskID)
    let results = try TaskResults(store)
    let documents = tasks.map { task in
      JSON.task(
        task, classes: TaskClass.count(counts[task.id] ?? [], of: task.id, classes: classes),
        progress: progress[task.id], candidates: results.candidates(task.id), accuracy: results.accuracy(task.id))
    }
    return JSON.object(["tasks": .array(documents)]).response()
  }

  func task(_ id: Int64) throws -> JSON {
    guard let task = try store.task(id) else { throw ServiceProblems.notFound("task", String(id)) }
    let results = try TaskResults(store)
    return .task(
      task, classes: TaskClass.count(try store.exampleCounts(of: id), of: id, classes: try store.classes()),
      progress: progress[id], candidates: results.candidates(id), accuracy: results.accuracy(id))
  }

  private func cancelTask(_ id: Int64) throws -> HTTPResponse {
    _ = try store.cancelTask(id, event: NewEvent(kind: "cancelled", data: "{}"))
    events.notify(id)
    return try self.task(id).response(202)
  }

  private func followEvents(_ request: HTTPRequest, _ responder: Responder) {
    let taken = readQueue.submit {
      do {
        let id = try Self.id(request, "task")
        guard try store.task(id) != nil else { throw ServiceProblems.notFound("task", String(id)) }
        var last: Int64 = 0
        if let text = request.headers["Last-Event-ID"] {
          guard let value = Int64(text), value >= 0 else {
            throw ServiceProblems.invalid("Last-Event-ID", "not the id of an event")
          }
          last = value
        }
        let head = HTTPResponse(
          status: 200, headers: ["Content-Type": "text/event-stream", "Cache-Control": "no-cache"])
        events.subscribe(responder.startStream(head), to: id, after: last)
      } catch let problem as Problem {
        responder.send(problem)
      } catch {
        responder.send((error as? StorageError).map { ServiceProblems.of($0) } ?? ServiceProblems.failed)
      }
    }
    if !taken { responder.send(ServiceProblems.busy("requests", limit: readQueue.capacity, setting: nil)) }
  }
}
