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

/// An HTTP/1.1 server: reactor threads over epoll that share one listening socket.
package final class HTTPServer: Sendable {
  private enum State: Sendable {
    case ready
    case running([ReactorThread])
    case ended
  }

  /// The port that the server listens on.
  package let port: UInt16

  private let listener: Int32
  private let mailboxes: [Mailbox]
  private let makeReactor: @Sendable (Int) throws(SystemCallError) -> Reactor
  private let state = Mutex(State.ready)

  /// Binds and listens; `start` begins to accept.
  package init(
    configuration: HTTPServerConfiguration, router: Router, observer: (any HTTPObserver)? = nil
  ) throws(HTTPServerError) {
    guard let address = SocketAddress(host: configuration.address.host, port: configuration.address.port) else {
      throw .badAddress(configuration.address)
    }
    do throws(SystemCallError) {
      let reactors = max(1, configuration.reactors)
      let mailboxes = try Self.makeMailboxes(reactors)
      let listener = try SystemCall.listen(address, backlog: Int32(Reactor.backlog))
      let budget = BodyBudget(limit: configuration.maximumBufferedBytes)
      let count = ConnectionCount()
      self.mailboxes = mailboxes
      self.listener = listener
      port = try SystemCall.localAddress(listener).port
      makeReactor = { (index: Int) throws(SystemCallError) in
        let context = ConnectionContext(
          configuration: configuration, router: router, budget: budget, firstRequestID: UInt64(index + 1),
          requestIDStep: UInt64(reactors))
        return try Reactor(
          listener: listener, context: context, mailbox: mailboxes[index], observer: observer, connectionCount: count)
      }
    } catch {
      throw .system(error)
    }
  }

  deinit {
    stop()
    SystemCall.close(listener)
  }

  /// Starts the reactor threads. Only the first call does something, and none after `drain` or `stop`.
  package func start() throws(HTTPServerError) {
    do throws(SystemCallError) {
      try state.withLock { (state: inout State) throws(SystemCallError) in
        guard case .ready = state else { return }
        var threads: [ReactorThread] = []
        state = .ended
        for index in mailboxes.indices {
          let makeReactor = makeReactor
          threads.append(try ReactorThread { () throws(SystemCallError) in try makeReactor(index) })
        }
        state = .running(threads)
      }
    } catch {
      throw .system(error)
    }
  }

  /// Stops accepting, finishes requests in flight, closes idle connections, ends streams, then returns: at the latest
  /// after the timeout, when what is left is closed. Not to be called on a reactor thread.
  package func drain(timeout: Duration) {
    let threads = state.withLock { state in
      defer { state = .ended }
      return if case .running(let threads) = state { threads } else { [ReactorThread]() }
    }
    let deadline = Moment.now() + timeout
    for mailbox in mailboxes { mailbox.post(.drain(deadline: deadline)) }
    for thread in threads { thread.join() }
  }

  /// Closes everything at once and returns when the threads have ended.
  package func stop() {
    drain(timeout: .zero)
  }

  private static func makeMailboxes(_ count: Int) throws(SystemCallError) -> [Mailbox] {
    var mailboxes: [Mailbox] = []
    for _ in 0..<count { mailboxes.append(try Mailbox()) }
    return mailboxes
  }
}
