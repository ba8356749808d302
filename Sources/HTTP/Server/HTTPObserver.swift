/// One finished request, for metrics and the access log.
package struct HTTPExchange: Sendable {
  package let id: UInt64
  /// Nil if it could not be parsed.
  package let head: HTTPRequestHead?
  /// The pattern of the route; nil if there was none.
  package let route: String?
  package let remoteAddress: String
  /// The status that was sent; 499 if the client went away before the answer.
  package let status: Int
  /// Length of the body that was received, after transfer decoding.
  package let bytesReceived: Int
  /// Length of the body that was answered, without framing.
  package let bytesSent: Int
  /// From the first byte of the head to the answer, for a stream to its end.
  package let duration: Duration

  /// Empty if the head could not be parsed.
  package var method: String { head?.method.rawValue ?? "" }
  /// The target as it was sent, query included; empty if the head could not be parsed.
  package var target: String { head?.target ?? "" }
}

/// Told about every finished request, and when the server cannot take connections.
package protocol HTTPObserver: Sendable {
  /// Called on a reactor thread: must return at once.
  func finished(_ exchange: HTTPExchange)
  /// Accepting failed for want of descriptors or memory, once until it works again. Called on a reactor thread: must
  /// return at once.
  func acceptingFailed(_ error: SystemCallError)
}

extension HTTPObserver {
  package func acceptingFailed(_ error: SystemCallError) {}
}
