import JSONTree

/// The problems this target answers with. Their `type` values are stable:
///
/// | type | status | when |
/// |---|---|---|
/// | `/problems/bad-request` | 400 | the bytes are not a valid HTTP/1.1 request; the connection is closed |
/// | `/problems/not-found` | 404 | no route has that path |
/// | `/problems/method-not-allowed` | 405 | the path exists, not with that method; `Allow` lists the others |
/// | `/problems/request-timeout` | 408 | the head or the body came too slowly |
/// | `/problems/body-too-large` | 413 | the body is over the route's limit |
/// | `/problems/target-too-long` | 414 | the request line is over its limit |
/// | `/problems/expectation-failed` | 417 | an `Expect` other than `100-continue` |
/// | `/problems/header-too-large` | 431 | header fields or trailers are over a limit |
/// | `/problems/internal-error` | 500 | a handler gave no answer |
/// | `/problems/method-not-implemented` | 501 | a method the server does not know |
/// | `/problems/transfer-coding-not-implemented` | 501 | a transfer coding other than chunked |
/// | `/problems/too-many-connections` | 503 | the connection limit is reached; `Retry-After` |
/// | `/problems/too-many-body-bytes` | 503 | the limit on body bytes in memory is reached; `Retry-After` |
/// | `/problems/version-not-supported` | 505 | an HTTP version other than 1.x |
///
/// A problem about a limit has the members `limit` (its value) and `setting` (what raises it, unless it is fixed).
enum HTTPProblems {
  static func of(_ error: HTTPParseError) -> Problem {
    switch error {
    case .targetTooLong(let limit):
      limited(
        "target-too-long", "Request target too long", 414, "The request line", limit, "bytes", "request_line_bytes")
    case .headerTooLarge(let limit):
      limited("header-too-large", "Header too large", 431, "The request's head", limit, "bytes", "header_bytes")
    case .tooManyFields(let limit):
      limited("header-too-large", "Header too large", 431, "The request's head", limit, "fields", "header_fields")
    case .trailerTooLarge(let limit):
      limited("header-too-large", "Header too large", 431, "The request's trailer", limit, "bytes", "trailer_bytes")
    case .bodyTooLarge(let limit): bodyTooLarge(limit: limit, setting: "body_limit")
    case .chunkLineTooLong(let limit): chunkLimit("A chunk's size line", limit)
    case .chunkExtensionsTooLong(let limit): chunkLimit("The chunk extensions", limit)
    case .unsupportedTransferEncoding:
      Problem(
        type: "/problems/transfer-coding-not-implemented", title: "Transfer coding not implemented", status: 501,
        detail: "The only transfer coding this server knows is chunked.")
    case .unsupportedVersion:
      Problem(
        type: "/problems/version-not-supported", title: "HTTP version not supported", status: 505,
        detail: "This server speaks HTTP/1.0 and HTTP/1.1.")
    default:
      Problem(
        type: "/problems/bad-request", title: "Bad request", status: 400, detail: badRequestDetail(error))
    }
  }

  static func bodyTooLarge(limit: Int, setting: String) -> Problem {
    limited("body-too-large", "Body too large", 413, "The request's body", limit, "bytes", setting)
  }

  static func notFound(path: String) -> Problem {
    Problem(type: "/problems/not-found", title: "Not found", status: 404, detail: "There is nothing at \(path).")
  }

  static func methodNotAllowed(_ method: HTTPMethod, allow: String) -> Problem {
    Problem(
      type: "/problems/method-not-allowed", title: "Method not allowed", status: 405,
      detail: "\(method) is not allowed here; these are: \(allow).", headers: ["Allow": allow])
  }

  static let methodNotImplemented = Problem(
    type: "/problems/method-not-implemented", title: "Method not implemented", status: 501,
    detail: "This server does not know the request's method.")

  static let expectationFailed = Problem(
    type: "/problems/expectation-failed", title: "Expectation failed", status: 417,
    detail: "The only expectation this server knows is 100-continue.")

  static let noAnswer = Problem(
    type: "/problems/internal-error", title: "Internal error", status: 500,
    detail: "The request's handler ended without an answer.")

  static func timeout(_ what: String, limit: Double, setting: String) -> Problem {
    Problem(
      type: "/problems/request-timeout", title: "Request timeout", status: 408, detail: what,
      extensions: ["limit": Int(exactly: limit).map { .integer($0) } ?? .number(limit), "setting": .string(setting)])
  }

  static func tooManyConnections(limit: Int) -> Problem {
    Problem(
      type: "/problems/too-many-connections", title: "Too many connections", status: 503,
      detail: "The limit of \(limit) connections is reached; the setting maximum_connections raises it.",
      extensions: ["limit": .integer(limit), "setting": "maximum_connections"], headers: ["Retry-After": "1"])
  }

  static func tooManyBodyBytes(limit: Int) -> Problem {
    Problem(
      type: "/problems/too-many-body-bytes", title: "Too many body bytes in memory", status: 503,
      detail: "Request bodies may take \(limit) bytes in total; the setting maximum_buffered_bytes raises it.",
      extensions: ["limit": .integer(limit), "setting": "maximum_buffered_bytes"], headers: ["Retry-After": "1"])
  }

  private static func limited(
    _ name: String, _ title: String, _ status: Int, _ what: String, _ limit: Int, _ unit: String, _ setting: String
  ) -> Problem {
    Problem(
      type: "/problems/\(name)", title: title, status: status,
      detail: "\(what) is over the limit of \(limit) \(unit); the setting \(setting) raises it.",
      extensions: ["limit": .integer(limit), "setting": .string(setting)])
  }

  /// About a limit that no setting raises.
  private static func chunkLimit(_ what: String, _ limit: Int) -> Problem {
    Problem(
      type: "/problems/bad-request", title: "Bad request", status: 400,
      detail: "\(what) of the body: over the limit of \(limit) bytes, which is fixed.",
      extensions: ["limit": .integer(limit)])
  }

  private static func badRequestDetail(_ error: HTTPParseError) -> String {
    switch error {
    case .bareLineFeed: "A line ends with a line feed alone; HTTP requires CRLF."
    case .bareCarriageReturn: "A carriage return stands without its line feed."
    case .badRequestLine: "The request line is not a method, a target and a version with single spaces between."
    case .badTarget: "The request target is malformed, has an invalid escape or a dot segment."
    case .badFieldName: "A header field's name is empty, not a token, or has space around it."
    case .badFieldValue: "A header field's value holds a control character."
    case .badHost: "HTTP/1.1 requires exactly one valid Host field."
    case .badContentLength: "Content-Length must be one plain decimal number."
    case .badTransferEncoding:
      "Transfer-Encoding must be chunked alone, in HTTP/1.1, and without Content-Length."
    case .badChunk: "The chunked body is malformed."
    default: "The request is malformed."
    }
  }
}
