/// Queueing answers.
extension HTTPConnection {
  /// What the handler did with its responder. Events for another request than the one in flight are ignored.
  package mutating func answer(_ event: ResponderEvent, request: UInt64, now: Moment) {
    guard let current = exchange, current.id == request else { return }
    switch (phase, event) {
    case (.handling, .response(let response)):
      answer(response, lingering: false, now)
      process(now)
    case (.handling, .streamStart(let head, let stream)):
      startStream(head, current, endsOnDrain: stream.endsOnDrain, now)
    case (.streaming(let framing), .streamWrite(let bytes)):
      writePiece(bytes, framing, streamBytes: bytes.count, now)
    case (.streaming, .streamFinish):
      finishStream(now)
      process(now)
    case (.streaming, .streamAbort):
      abort(now)
    default: break
    }
  }

  /// Answers without having read a request: the server has too many connections.
  package mutating func refuseConnection(_ problem: Problem, now: Moment) {
    answer(problem.response(), lingering: true, now)
  }

  /// Queues a whole response and ends the exchange.
  mutating func answer(_ response: HTTPResponse, lingering: Bool, _ now: Moment) {
    let head = exchange?.head
    let keepAlive = !lingering && !isDraining && head?.keepAlive == true
    let hasNoBody = response.status == 204 || response.status == 304
    let sendsBody = !hasNoBody && head?.method != .head
    writeHead(response, hasNoBody ? .none : .length(response.body.count), keepAlive: keepAlive, now)
    if sendsBody { output.append(response.body) }
    finishExchange(status: response.status, bytesSent: sendsBody ? response.body.count : 0, now)
    endExchange(keepAlive: keepAlive, lingering: lingering, now)
  }

  private mutating func startStream(_ head: HTTPResponse, _ current: Exchange, endsOnDrain: Bool, _ now: Moment) {
    let framing = current.head.minorVersion == 0 ? ResponseFraming.untilClose : .chunked
    let keepAlive = current.head.keepAlive && framing == .chunked && !isDraining
    exchange?.status = head.status
    exchange?.keepsAlive = keepAlive
    context.budget.release(current.reserved)
    exchange?.reserved = 0
    writeHead(head, framing, keepAlive: keepAlive, now)
    streamEndsOnDrain = endsOnDrain
    phase = .streaming(framing)
    if inputEnded { return abort(now) }
    if current.head.method == .head {
      endStream(now)
      return process(now)
    }
    writePiece(head.body, framing, streamBytes: 0, now)
    if isDraining, endsOnDrain { finishStream(now) }
  }

  private mutating func writePiece(_ bytes: [UInt8], _ framing: ResponseFraming, streamBytes: Int, _ now: Moment) {
    if bytes.isEmpty { return }
    noteOutput(now)
    exchange?.sent += bytes.count
    guard framing == .chunked else { return output.append(bytes, streamBytes: streamBytes) }
    output.write { ResponseEncoder.appendChunkSize(bytes.count, to: &$0) }
    output.append(bytes, streamBytes: streamBytes)
    output.write { ResponseEncoder.append("\r\n", to: &$0) }
  }

  /// Ends the body of a stream.
  mutating func finishStream(_ now: Moment) {
    guard case .streaming(let framing) = phase else { return }
    noteOutput(now)
    if framing == .chunked { output.write { ResponseEncoder.append("0\r\n\r\n", to: &$0) } }
    endStream(now)
  }

  private mutating func endStream(_ now: Moment) {
    guard let current = exchange else { return }
    actions.append(.streamEnded)
    output.forgetStream()
    startOutputWindow(now)
    finishExchange(status: current.status, bytesSent: current.sent, now)
    endExchange(keepAlive: current.keepsAlive && !isDraining, lingering: false, now)
  }

  /// Moves on when an answer is queued.
  private mutating func endExchange(keepAlive: Bool, lingering: Bool, _ now: Moment) {
    phaseStarted = now
    if keepAlive {
      phase = .idle
    } else {
      // Requests that came after the last one stay unread.
      phase = lingering || parser.bufferedCount > 0 ? .lingering : .closing
      if output.isEmpty, phase == .closing { close() }
    }
  }

  /// Reports the exchange and lets go of what it held.
  mutating func finishExchange(status: Int, bytesSent: Int, _ now: Moment) {
    if let current = exchange {
      context.budget.release(current.reserved)
      actions.append(
        .finished(
          HTTPExchange(
            id: current.id, head: current.head, route: current.pattern, remoteAddress: remoteAddress, status: status,
            bytesReceived: current.received, bytesSent: bytesSent, duration: now - current.started)))
    } else {
      actions.append(
        .finished(
          HTTPExchange(
            id: context.takeRequestID(), head: nil, route: nil, remoteAddress: remoteAddress, status: status,
            bytesReceived: 0, bytesSent: bytesSent, duration: now - phaseStarted)))
    }
    exchange = nil
    body = []
  }

  private mutating func writeHead(
    _ response: HTTPResponse, _ framing: ResponseFraming, keepAlive: Bool, _ now: Moment
  ) {
    let connection: StaticString? =
      if !keepAlive { "close" } else if exchange?.head.minorVersion == 0 { "keep-alive" } else { nil }
    let date = context.date
    noteOutput(now)
    output.write {
      ResponseEncoder.appendHead(response, framing: framing, connection: connection, date: date, to: &$0)
    }
  }

  /// Starts the clock of the write deadline when output begins to wait.
  mutating func noteOutput(_ now: Moment) {
    guard output.isEmpty else { return }
    outputProgress = now
    startOutputWindow(now)
  }

  mutating func startOutputWindow(_ now: Moment) {
    outputWindowStarted = now
    windowSent = 0
  }

  mutating func beginIdle(_ now: Moment) {
    phase = .idle
    phaseStarted = now
    if isDraining { closeAfterOutput() }
  }

  mutating func closeAfterOutput() {
    if output.isEmpty { close() } else { phase = .closing }
  }

  mutating func close() {
    phase = .closed
    output.removeAll()
  }

  /// Gives the connection up with whatever is in flight.
  mutating func abort(_ now: Moment) {
    if case .closed = phase { return }
    if case .streaming = phase { actions.append(.streamEnded) }
    if let current = exchange {
      finishExchange(
        status: current.status == 0 ? Self.clientClosed : current.status, bytesSent: current.sent, now)
    }
    close()
  }
}
