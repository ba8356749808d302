import FoundationEssentials
import HTTP
import JSONTree
import Storage

extension API {
  func addClassRoutes(to router: inout Router) {
    add(
      .get, "/classes", to: &router,
      reading { _ in
        JSON.object(["classes": .array(try store.classes().map(JSON.classRecord))]).response()
      })
    add(.patch, "/classes/{id}", to: &router, writing { try renameClass($0) })
    add(
      .delete, "/classes/{id}", to: &router,
      removing("class") { try store.deleteClass($0, actor: $1, jobKind: JobKind.rebuild) })
  }

  private struct Renaming: Decodable {
    let name: String
  }

  private func renameClass(_ request: HTTPRequest) throws -> HTTPResponse {
    let id = try Self.id(request, "class")
    guard MediaType.essence(request.headers["Content-Type"]) == "application/json" else {
      throw ServiceProblems.unsupportedMediaType(request.headers["Content-Type"], accepted: "application/json")
    }
    let renaming: Renaming = try JSONBody.decode(request.body, depth: configuration.jsonDepth)
    let name = renaming.name.nfc
    if let reason = IntakeLimits(configuration).problem(withLabel: name) {
      throw ServiceProblems.unprocessable("name", reason)
    }
    try store.renameClass(id, to: name, actor: Self.actor(request))
    serving.rename(id, to: name)
    guard let record = try store.classRecord(id) else { throw ServiceProblems.notFound("class", String(id)) }
    return JSON.classRecord(record).response()
  }
}
