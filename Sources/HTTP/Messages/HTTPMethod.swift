/// A request method: a case-sensitive token (RFC 9110, section 9).
package struct HTTPMethod: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) {
    self.rawValue = rawValue
  }

  package static let get = HTTPMethod(rawValue: "GET")
  package static let head = HTTPMethod(rawValue: "HEAD")
  package static let post = HTTPMethod(rawValue: "POST")
  package static let put = HTTPMethod(rawValue: "PUT")
  package static let patch = HTTPMethod(rawValue: "PATCH")
  package static let delete = HTTPMethod(rawValue: "DELETE")
  package static let options = HTTPMethod(rawValue: "OPTIONS")
  package static let trace = HTTPMethod(rawValue: "TRACE")
  package static let query = HTTPMethod(rawValue: "QUERY")
  package static let connect = HTTPMethod(rawValue: "CONNECT")

  package var description: String { rawValue }

  /// Whether the server knows the method at all: a known method that a resource lacks is 405, an unknown one 501.
  /// CONNECT is not known, because this server is no proxy.
  package var isKnown: Bool {
    switch self {
    case .get, .head, .post, .put, .patch, .delete, .options, .trace, .query: true
    default: false
    }
  }
}
