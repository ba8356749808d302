import Synchronization

/// What a handler does with its responder.
package enum ResponderEvent: Sendable {
  case response(HTTPResponse)
  case streamStart(HTTPResponse, ResponseStream)
  case streamWrite([UInt8])
  case streamFinish
  /// The stream broke its bound: the connection is closed without the end of the body.
  case streamAbort
}

/// Handed to a handler. May be used from any thread, for exactly one answer; whatever comes after the first is ignored.
/// A responder that is dropped without an answer sends 500.
package final class Responder: Sendable {
  /// Where the events go.
  typealias Destination = @Sendable (ResponderEvent) -> Void

  private enum Target: Sendable {
    case reactor(Mailbox, ExchangeKey)
    case closure(Destination)
  }

  private let target: Target
  private let streamBufferBytes: Int
  private let answered = Atomic<Bool>(false)

  init(mailbox: Mailbox, key: ExchangeKey, streamBufferBytes: Int) {
    target = .reactor(mailbox, key)
    self.streamBufferBytes = streamBufferBytes
  }

  /// A responder without a server, for tests of handlers. Events are delivered on the thread that causes them.
  package init(streamBufferBytes: Int = 1 << 20, deliver: @escaping @Sendable (ResponderEvent) -> Void) {
    target = .closure(deliver)
    self.streamBufferBytes = streamBufferBytes
  }

  deinit {
    if !answered.load(ordering: .acquiring) { deliver(.response(HTTPProblems.noAnswer.response())) }
  }

  /// Whether an answer was given.
  package var hasAnswered: Bool { answered.load(ordering: .acquiring) }

  /// Answers with a whole response.
  package func send(_ response: HTTPResponse) {
    guard claim() else { return }
    deliver(.response(response))
  }

  /// Answers with a problem document.
  package func send(_ problem: Problem) {
    send(problem.response())
  }

  /// Answers with a body that is written piece by piece (chunked in HTTP/1.1). The head's own body is its first piece.
  /// After another answer the stream is closed from the start.
  package func startStream(_ head: HTTPResponse, endsOnDrain: Bool = true) -> ResponseStream {
    guard claim() else { return ResponseStream(limit: 0, isClosed: true, endsOnDrain: false) { _ in } }
    let stream: ResponseStream
    switch target {
    case .reactor(let mailbox, let key):
      stream = ResponseStream(limit: streamBufferBytes, isClosed: false, endsOnDrain: endsOnDrain) {
        mailbox.post(.answer(key, $0))
      }
    case .closure(let destination):
      stream = ResponseStream(limit: streamBufferBytes, isClosed: false, endsOnDrain: endsOnDrain, destination)
    }
    deliver(.streamStart(head, stream))
    return stream
  }

  private func claim() -> Bool {
    !answered.exchange(true, ordering: .acquiringAndReleasing)
  }

  private func deliver(_ event: ResponderEvent) {
    switch target {
    case .reactor(let mailbox, let key): mailbox.post(.answer(key, event))
    case .closure(let destination): destination(event)
    }
  }
}
