/// A response as a handler makes it. `Content-Length`, `Transfer-Encoding`, `Connection`, `Date` and `Server` are the
/// server's: it drops them from `headers` and writes its own.
package struct HTTPResponse: Sendable, Equatable {
  /// Three digits, 200 to 599.
  package var status: Int
  package var headers: HTTPHeaders
  package var body: [UInt8]

  package init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A response with a body of the given media type.
  package init(status: Int, contentType: String, body: [UInt8]) {
    self.init(status: status, headers: ["Content-Type": contentType], body: body)
  }

  /// A JSON text.
  package static func json(_ status: Int = 200, _ body: [UInt8]) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "application/json", body: body)
  }

  /// Plain text in UTF-8.
  package static func text(_ status: Int = 200, _ text: String) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
  }
}
