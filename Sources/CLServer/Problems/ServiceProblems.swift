package import HTTP
import JSONTree
package import Storage

/// The problems the services answer with, besides those of the HTTP target. Their `type` values are stable:
///
/// | type | status | when |
/// |---|---|---|
/// | `/problems/invalid-request` | 400 | the body, or a parameter, does not parse; `field` names it |
/// | `/problems/unauthorized` | 401 | no API key, or one that is not known |
/// | `/problems/forbidden` | 403 | the key's role does not reach this far |
/// | `/problems/forbidden-origin` | 403 | on loopback, a request that a web page may have made; `field` names the header |
/// | `/problems/not-found` | 404 | no such task, class or example |
/// | `/problems/label-exists` | 409 | a class of that name exists; `labels` lists them |
/// | `/problems/conflict` | 409 | the state does not allow it |
/// | `/problems/body-too-large` | 413 | what the body unpacks to is over a limit |
/// | `/problems/unsupported-media-type` | 415 | the body is of a type that the route does not take |
/// | `/problems/unprocessable` | 422 | well-formed, but a value is not valid; `field` names it |
/// | `/problems/unreadable-image` | 422 | the only input is not an image that can be read |
/// | `/problems/no-usable-example` | 422 | every item was rejected; `rejected` lists them |
/// | `/problems/idempotency-key-reused` | 422 | the key was used with another body |
/// | `/problems/nothing-learned` | 503 | no class answers yet |
/// | `/problems/busy` | 503 | a queue is full |
/// | `/problems/unavailable` | 503 | the database is busy or the daemon is ending |
/// | `/problems/storage-full`, `/problems/storage-read-only` | 507 | nothing can be written; nothing was changed |
/// | `/problems/storage-failed` | 500 | the database or its device failed |
package enum ServiceProblems {
  package static func invalid(_ field: String, _ reason: String) -> Problem {
    Problem(
      type: "/problems/invalid-request", title: "Invalid request", status: 400, detail: "\(field): \(reason)",
      extensions: ["field": .string(field), "reason": .string(reason)])
  }

  package static func unprocessable(_ field: String, _ reason: String) -> Problem {
    Problem(
      type: "/problems/unprocessable", title: "Not a valid value", status: 422, detail: "\(field): \(reason)",
      extensions: ["field": .string(field), "reason": .string(reason)])
  }

  package static func forbidden(_ field: String, _ reason: String) -> Problem {
    Problem(
      type: "/problems/forbidden-origin", title: "Forbidden origin", status: 403, detail: "\(field): \(reason).",
      extensions: ["field": .string(field), "reason": .string(reason)])
  }

  package static func notFound(_ noun: String, _ id: String) -> Problem {
    Problem(type: "/problems/not-found", title: "Not found", status: 404, detail: "There is no \(noun) \(id).")
  }

  package static func conflict(_ detail: String) -> Problem {
    Problem(type: "/problems/conflict", title: "Conflict", status: 409, detail: detail)
  }

  package static func labelsExist(_ labels: [String]) -> Problem {
    Problem(
      type: "/problems/label-exists", title: "Class exists", status: 409,
      detail: "These classes exist already: \(labels.joined(separator: ", ")). Send `extend=true` to add to them.",
      extensions: ["labels": .array(labels.map { .string($0) })])
  }

  package static func unsupportedMediaType(_ sent: String?, accepted: String) -> Problem {
    Problem(
      type: "/problems/unsupported-media-type", title: "Unsupported media type", status: 415,
      detail: (sent.map { "The body is \($0)" } ?? "The request has no Content-Type")
        + "; this route takes \(accepted).")
  }

  package static func overLimit(_ what: String, limit: Int, setting: String) -> Problem {
    Problem(
      type: "/problems/body-too-large", title: "Over a limit", status: 413,
      detail: "\(what): the limit is \(limit) and the setting \(setting) raises it.",
      extensions: ["limit": .integer(limit), "setting": .string(setting)])
  }

  package static func unreadableImage(_ reason: String) -> Problem {
    Problem(
      type: "/problems/unreadable-image", title: "Not a readable image", status: 422, detail: reason,
      extensions: ["field": "body", "reason": .string(reason)])
  }

  package static func noUsableExample(_ rejected: [RejectedItem]) -> Problem {
    Problem(
      type: "/problems/no-usable-example", title: "No usable example", status: 422,
      detail: "All \(rejected.count) items were rejected, so there is nothing to learn from.",
      extensions: ["rejected": .rejected(rejected)])
  }

  package static let idempotencyKeyReused = Problem(
    type: "/problems/idempotency-key-reused", title: "Idempotency-Key used before", status: 422,
    detail: "This Idempotency-Key was sent with another body; use a new one for a new request.",
    extensions: ["field": "Idempotency-Key"])

  package static let nothingLearned = Problem(
    type: "/problems/nothing-learned", title: "Nothing learned yet", status: 503,
    detail: "No class answers yet: teach some with POST /tasks and wait until the task is `serving`.",
    headers: ["Retry-After": "5"])

  /// - Parameter setting: what raises the limit; nil for one that is fixed.
  package static func busy(_ queue: String, limit: Int, setting: String?) -> Problem {
    Problem(
      type: "/problems/busy", title: "Busy", status: 503,
      detail: "The queue of \(queue) is full: its limit is \(limit)"
        + (setting.map { " and the setting \($0) raises it." } ?? "."),
      extensions: ["limit": .integer(limit), "setting": setting.map { .string($0) } ?? .null],
      headers: ["Retry-After": "1"])
  }

  package static func tooDeep(limit: Int) -> Problem {
    Problem(
      type: "/problems/invalid-request", title: "Invalid request", status: 400,
      detail: "The JSON is nested too deep: the limit is \(limit) levels and the setting json_depth raises it.",
      extensions: ["field": "body", "limit": .integer(limit), "setting": "json_depth"])
  }

  package static func of(_ error: StorageError) -> Problem {
    switch error {
    case .full:
      Problem(
        type: "/problems/storage-full", title: "Storage full", status: 507,
        detail: "The disk of the state directory is full. Nothing was changed.")
    case .readOnly:
      Problem(
        type: "/problems/storage-read-only", title: "Storage is read-only", status: 507,
        detail: "The state directory cannot be written. Nothing was changed.")
    case .conflict(.labelsExist(let labels)): labelsExist(labels)
    case .conflict(.classNameTaken(let name)):
      Problem(
        type: "/problems/label-exists", title: "Class exists", status: 409,
        detail: "There is a class named \(name) already.", extensions: ["labels": .array([.string(name)])])
    case .conflict(.idempotencyKeyUsed): conflict("A request with this Idempotency-Key is being worked on.")
    case .conflict(.taskAtRest(let state)):
      conflict("The task is \(state.rawValue): there is nothing to cancel.")
    case .conflict: conflict("What this request is about changed meanwhile; send it again.")
    case .notFound(let noun, let id): notFound(noun.rawValue, id)
    case .busy, .closed:
      Problem(
        type: "/problems/unavailable", title: "Unavailable", status: 503, detail: "The database is busy or closing.",
        headers: ["Retry-After": "1"])
    default:
      Problem(
        type: "/problems/storage-failed", title: "Storage failed", status: 500,
        detail: "The database refused; the log has the details. Nothing was changed.")
    }
  }
}

extension ServiceProblems {
  /// What must not happen; the log has the details.
  package static let failed = Problem(
    type: "/problems/internal-error", title: "Internal error", status: 500, detail: "The log has the details.")
}

extension ServiceProblems {
  package static func unavailable(_ reason: String) -> Problem {
    Problem(
      type: "/problems/unavailable", title: "Unavailable", status: 503, detail: reason, headers: ["Retry-After": "1"])
  }
}
