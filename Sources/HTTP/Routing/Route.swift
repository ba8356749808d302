/// Answers requests of a route. Called on a reactor thread, so it must return at once: real work goes to another thread,
/// which answers through the responder.
package typealias Handler = @Sendable (HTTPRequest, Responder) -> Void

/// One method of one pattern.
package final class Route: Sendable {
  package let method: HTTPMethod
  /// The pattern as it was registered, such as `/tasks/{id}`: a metrics label with few values.
  package let pattern: String
  /// The longest body in bytes; 0 for none.
  package let bodyLimit: Int
  /// The name of the setting that raises the limit, for the problem document.
  package let bodyLimitSetting: String
  let handler: Handler

  init(method: HTTPMethod, pattern: String, bodyLimit: Int, bodyLimitSetting: String, handler: @escaping Handler) {
    self.method = method
    self.pattern = pattern
    self.bodyLimit = bodyLimit
    self.bodyLimitSetting = bodyLimitSetting
    self.handler = handler
  }
}

/// What the router made of a request's head.
struct Routing {
  enum Decision {
    case handle(Route)
    /// An answer without a handler: OPTIONS.
    case answer(HTTPResponse)
    case refuse(Problem)
  }

  var decision: Decision
  /// The pattern that matched the path.
  var pattern: String?
  var parameters: [String: String] = [:]
}
