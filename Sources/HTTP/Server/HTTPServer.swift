import Synchronization

/// Why a server could not be made.
package enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The host is neither numeric nor `localhost`.
  case badAddress(HTTPAddress)
  case system(SystemCallError)

  package var description: String {
    switch self {
    case .badAddress(let address): "\(address) is not a numeric address"
    case .system(let error): error.description
    }
  }
}

/// An HTTP/1.1 server: reactor threads over epoll.
package final class HTTPServer: Sendable {
  /// The port that the server listens on.
  package let port: UInt16

  /// Binds and listens; `start` begins to accept.
  package init(
    configuration: HTTPServerConfiguration, router: Router, observer: (any HTTPObserver)? = nil
  ) throws(HTTPServerError) {
    port = configuration.address.port
  }

  /// Starts the reactor threads. Once only.
  package func start() {}

  /// Stops accepting, finishes requests in flight, closes idle connections, ends streams, then returns: at the latest
  /// after the timeout, when what is left is closed. Not to be called on a reactor thread.
  package func drain(timeout: Duration) {}

  /// Closes everything at once and returns when the threads have ended.
  package func stop() { drain(timeout: .zero) }
}
