/// Answers requests of a route. Called on a reactor thread, so it must return at once: real work goes to another thread,
/// which answers through the responder.
package typealias Handler = @Sendable (HTTPRequest, Responder) -> Void

/// One method of one pattern.
package struct Route: Sendable {
  package let method: HTTPMethod
  /// The pattern as it was registered, such as `/tasks/{id}`: a metrics label with few values.
  package let pattern: String
  /// The longest body in bytes; 0 for none.
  package let bodyLimit: Int
  /// The name of the setting that raises the limit, for the problem document.
  package let bodyLimitSetting: String
  let handler: Handler
}

/// What the router made of a request's head.
enum Routing {
  case matched(Route, parameters: [String: String])
  /// An answer without a handler: OPTIONS.
  case answer(HTTPResponse, pattern: String?)
  case refused(Problem, pattern: String?)
}
