/// One connection as a state machine without input, output or clock: bytes, answers and the time go in, bytes to send
/// and actions come out. Whoever drives it reads while `wantsRead`, sends what is in `output`, runs the actions, calls
/// `expire` at `deadline`, and closes the socket when `isClosed`.
///
/// Requests of a connection are answered one after the other: the next one is not parsed before the answer to the last
/// one is queued and the client has taken most of what waits.
package struct HTTPConnection {
  package enum Action: Sendable {
    /// Give the request to the route's handler.
    case handle(HTTPRequest, Route)
    /// Tell the observer.
    case finished(HTTPExchange)
    /// The stream that was started last is over: its client is gone or its bytes are queued.
    case streamEnded
  }

  enum Phase: Equatable {
    /// Between requests.
    case idle
    /// Some bytes of a head have come.
    case head
    case body
    /// The answer is queued already, the rest of the body is read and dropped.
    case discarding
    case handling
    case streaming(ResponseFraming)
    /// Closes when the output is sent.
    case closing
    /// Refused: when the output is sent the sending side is shut down, and input is read and dropped for a while. Closing
    /// with unread input would reset the connection, and the client might never see the answer.
    case lingering
    case closed
  }

  /// The request that is read or answered now.
  final class Exchange {
    let id: UInt64
    let head: HTTPRequestHead
    var route: Route?
    let parameters: [String: String]
    let pattern: String?
    let started: Moment
    var reserved = 0
    var received = 0
    var sent = 0
    /// Of a stream that has begun.
    var status = 0
    var keepsAlive = false

    init(id: UInt64, head: HTTPRequestHead, routing: Routing, started: Moment) {
      self.id = id
      self.head = head
      parameters = routing.parameters
      pattern = routing.pattern
      self.started = started
    }
  }

  /// Bytes of later requests that are read while one is answered.
  static let pipelineBytes = 64 * 1024
  /// Output above which no further request is parsed.
  static let outputHighWater = 256 * 1024
  /// A refused body of at most this length is read and dropped, so that the connection can stay open.
  static let discardedBodyBytes = 64 * 1024
  /// How much of an announced body is reserved before any of it has come.
  static let reservedBodyBytes = 1024 * 1024
  /// The status that is reported when the client closes a request before its answer, as access logs write it.
  static let clientClosed = 499

  let context: ConnectionContext
  package let remoteAddress: String
  var parser: HTTPRequestParser
  var output = OutputQueue()
  var phase = Phase.idle
  var exchange: Exchange?
  var body: [UInt8] = []
  var isDraining = false
  var streamEndsOnDrain = true
  /// The client has shut down its sending side.
  var inputEnded = false
  var actions: [Action] = []
  var nextAction = 0

  /// When the phase's own clock began: idle, first byte of a head, window of the body rate, lingering.
  var phaseStarted: Moment
  var windowReceived = 0
  /// When the client last took output, or the output began to wait.
  var outputProgress: Moment
  /// The window of the output rate.
  var outputWindowStarted: Moment
  var windowSent = 0

  package init(context: ConnectionContext, remoteAddress: String, now: Moment) {
    self.context = context
    self.remoteAddress = remoteAddress
    parser = HTTPRequestParser(limits: context.parserLimits)
    phaseStarted = now
    outputProgress = now
    outputWindowStarted = now
  }

  // MARK: What the driver asks

  /// Whether the socket should be closed now.
  package var isClosed: Bool { phase == .closed }

  /// Whether input should be read.
  package var wantsRead: Bool {
    switch phase {
    case .closed: false
    case .lingering: !inputEnded
    // A head that is longer than what is read ahead still has to fit, and one byte too many to be refused.
    default:
      !inputEnded && parser.bufferedCount < max(Self.pipelineBytes, context.configuration.headerBytes + 1)
    }
  }

  /// Whether bytes wait to be sent.
  package var hasOutput: Bool { !output.isEmpty }

  /// Whether the sending side should be shut down now.
  package var wantsShutdown: Bool { phase == .lingering && output.isEmpty }

  /// The request a handler works on or answers by a stream.
  package var requestInFlight: UInt64? {
    switch phase {
    case .handling, .streaming: exchange?.id
    default: nil
    }
  }

  /// The next thing to do, or nil.
  package mutating func popAction() -> Action? {
    guard nextAction < actions.count else { return nil }
    defer {
      nextAction += 1
      if nextAction == actions.count {
        actions.removeAll(keepingCapacity: true)
        nextAction = 0
      }
    }
    return actions[nextAction]
  }

  /// Hands the bytes to send next to `body`, with whether more follow.
  func withOutput<Result>(_ body: (UnsafeRawBufferPointer, _ more: Bool) -> Result) -> Result? {
    output.withNext { body($0, output.hasSeveralSegments) }
  }

  /// All bytes that wait to be sent, for tests; they count as sent.
  package mutating func takeOutput(now: Moment) -> [UInt8] {
    var all: [UInt8] = []
    while hasOutput {
      let piece = output.withNext { Array($0) } ?? []
      all += piece
      _ = sent(piece.count, now: now)
    }
    return all
  }

  /// Whether a stream is being answered.
  var isStreaming: Bool { if case .streaming = phase { true } else { false } }

  // MARK: Input

  /// Bytes came from the client.
  package mutating func receive(_ bytes: UnsafeRawBufferPointer, now: Moment) {
    if phase == .lingering || phase == .closed { return }
    parser.append(bytes)
    process(now)
  }

  /// Bytes came from the client.
  package mutating func receive(_ bytes: [UInt8], now: Moment) {
    bytes.withUnsafeBytes { receive($0, now: now) }
  }

  /// The client will send nothing more. Requests that are complete are still answered; a stream ends, because a client
  /// that stops listening cannot be told from one that has only stopped sending.
  package mutating func receiveEnd(now: Moment) {
    inputEnded = true
    switch phase {
    case .streaming: abort(now)
    case .lingering: if output.isEmpty { close() }
    default: process(now)
    }
  }

  /// The connection broke.
  package mutating func fail(now: Moment) {
    abort(now)
  }

  // MARK: Output

  /// The kernel took bytes. Returns how many bytes of a stream are off the queue.
  package mutating func sent(_ count: Int, now: Moment) -> Int {
    let streamBytes = output.sent(count)
    outputProgress = now
    windowSent += count
    if output.isEmpty {
      if phase == .closing { close() }
      if phase == .idle || phase == .lingering { phaseStarted = now }
      if phase == .lingering, inputEnded { close() }
    }
    if parser.bufferedCount > 0 || inputEnded { process(now) }
    return streamBytes
  }

  /// Stops accepting requests: a connection without one is closed, a stream is ended.
  package mutating func drain(now: Moment) {
    isDraining = true
    switch phase {
    case .idle: closeAfterOutput()
    case .streaming: if streamEndsOnDrain { finishStream(now) }
    default: break
    }
  }
}
