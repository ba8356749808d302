/// How the end of a request body is found (RFC 9112, section 6).
package enum BodyFraming: Sendable, Equatable {
  case none
  case length(Int)
  case chunked
}

/// The request line and the header fields, checked against RFC 9112.
///
/// A class, because a head goes through many hands and a copy of its parts would cost more than all of its parsing.
package final class HTTPRequestHead: Sendable {
  package let method: HTTPMethod
  package let requestTarget: RequestTarget
  /// The minor version the request is treated as: 0 or 1.
  package let minorVersion: Int
  package let headers: HTTPHeaders
  package let framing: BodyFraming
  /// Whether the client wants the connection to stay open after the answer.
  package let keepAlive: Bool
  /// Whether the client waits for `100 Continue` before it sends the body.
  package let expectsContinue: Bool
  /// Whether an Expect field holds something other than `100-continue`: answered with 417.
  package let hasUnknownExpectation: Bool

  init(
    method: HTTPMethod, requestTarget: RequestTarget, minorVersion: Int, headers: HTTPHeaders, framing: BodyFraming,
    keepAlive: Bool, expectsContinue: Bool, hasUnknownExpectation: Bool
  ) {
    self.method = method
    self.requestTarget = requestTarget
    self.minorVersion = minorVersion
    self.headers = headers
    self.framing = framing
    self.keepAlive = keepAlive
    self.expectsContinue = expectsContinue
    self.hasUnknownExpectation = hasUnknownExpectation
  }

  /// The target as it was sent.
  package var target: String { requestTarget.text }
  /// The decoded path, without the query. Take it apart with `pathSegments`.
  package var path: String { requestTarget.path }
  /// The path split at its slashes, then decoded.
  package var pathSegments: [String] { requestTarget.segments }
  /// The query parameters in order, repeated names kept.
  package var query: [(name: String, value: String)] { requestTarget.query }
  /// The first query parameter of that name.
  package func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// A whole request, as a handler gets it.
package struct HTTPRequest: Sendable {
  package let head: HTTPRequestHead
  package let body: [UInt8]
  /// The client's numeric address without its port.
  package let remoteAddress: String
  /// Unique in this server process; below 2^53, so that JSON carries it.
  package let id: UInt64
  /// What the placeholders of the route's pattern matched, decoded.
  package let parameters: [String: String]

  package var method: HTTPMethod { head.method }
  package var target: String { head.target }
  package var path: String { head.path }
  package var pathSegments: [String] { head.pathSegments }
  package var query: [(name: String, value: String)] { head.query }
  package func queryValue(_ name: String) -> String? { head.queryValue(name) }
  package var headers: HTTPHeaders { head.headers }

  private let reservation: BodyReservation?

  init(
    head: HTTPRequestHead, body: [UInt8], reservation: BodyReservation?, remoteAddress: String, id: UInt64,
    parameters: [String: String]
  ) {
    self.reservation = reservation
    self.head = head
    self.body = body
    self.remoteAddress = remoteAddress
    self.id = id
    self.parameters = parameters
  }

  /// A request made in the process, for tests of handlers.
  /// - Throws: `badTarget` if the target would be refused on the wire.
  package init(
    method: HTTPMethod, target: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    parameters: [String: String] = [:]
  ) throws(HTTPParseError) {
    let bytes = Array(target.utf8)
    head = HTTPRequestHead(
      method: method, requestTarget: try RequestTarget(bytes: bytes, whole: bytes.indices, method: method),
      minorVersion: 1, headers: headers, framing: body.isEmpty ? .none : .length(body.count), keepAlive: true,
      expectsContinue: false, hasUnknownExpectation: false)
    self.body = body
    reservation = nil
    remoteAddress = "127.0.0.1"
    id = 0
    self.parameters = parameters
  }
}
