import HTTP
import JSONTree
import Storage

extension API {
  func addExampleRoutes(to router: inout Router) {
    add(.get, "/tasks/{id}/examples", to: &router, reading { try exampleList($0) })
    router.on(
      .post, "/tasks/{id}/examples", bodyLimit: configuration.taskBodyBytes, bodyLimitSetting: "task_body_bytes",
      uploading { try teach($0, to: try Self.id($0, "task")) })
    add(
      .delete, "/examples/{id}", to: &router,
      removing("example") { try store.deleteExample($0, actor: $1, jobKind: JobKind.rebuild) })
  }

  private func exampleList(_ request: HTTPRequest) throws -> HTTPResponse {
    let id = try Self.id(request, "task")
    guard try store.task(id) != nil else { throw ServiceProblems.notFound("task", String(id)) }
    let after = Int64(try Self.integer(request, "after", in: 0...Int.max, default: 0))
    let limit = try Self.integer(request, "limit", in: 1...1000, default: 100)
    let names = Dictionary(uniqueKeysWithValues: try store.classes().map { ($0.id, $0.name) })
    let rest = try store.examples(of: id).filter { $0.id > after }.sorted { $0.id < $1.id }
    let page = rest.prefix(limit)
    return JSON.object([
      "examples": .array(page.map { .example($0, label: names[$0.classID] ?? "") }),
      "next": rest.count > page.count ? page.last.map { .integer($0.id) } ?? .null : .null,
    ]).response()
  }
}
