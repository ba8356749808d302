/// Reading requests.
extension HTTPConnection {
  /// Takes events from the parser as far as the phase allows.
  mutating func process(_ now: Moment) {
    while output.count < Self.outputHighWater {
      switch phase {
      case .handling, .streaming, .closing, .lingering, .closed: return
      case .idle, .head, .body, .discarding: break
      }
      switch parser.next(into: &body) {
      case .needsMoreBytes:
        return waitForBytes(now)
      case .head(let head):
        accept(head, started: phase == .head ? phaseStarted : now, now)
      case .bodyBytes(let count):
        guard takeBody(count, now) else { return }
      case .end:
        finishRequest(now)
      case .failed(let error):
        return refuse(error, now)
      }
    }
  }

  private mutating func waitForBytes(_ now: Moment) {
    if inputEnded {
      // The rest of the request will not come; the answers to those before it still have to go out.
      if exchange != nil { finishExchange(status: Self.clientClosed, bytesSent: 0, now) }
      return closeAfterOutput()
    }
    if phase == .idle, !parser.isBetweenRequests {
      phase = .head
      phaseStarted = now
    }
  }

  /// Decides about a request by its head.
  private mutating func accept(_ head: HTTPRequestHead, started: Moment, _ now: Moment) {
    let routing = context.router.route(head, remoteAddress: remoteAddress)
    let current = Exchange(id: context.takeRequestID(), head: head, routing: routing, started: started)
    phaseStarted = now
    windowReceived = 0
    var early: HTTPResponse?
    switch routing.decision {
    case .answer(let response): early = response
    case .refuse(let problem): early = problem.response()
    case .handle(let route):
      current.route = route
      parser.bodyLimit = route.bodyLimit
      early = refusal(head, route, current)?.response()
    }
    exchange = current
    if let early { return answerEarly(early, now) }
    phase = .body
    if case .length(let length) = head.framing {
      // Grown as bytes come: a length alone must not cost memory.
      body.reserveCapacity(min(length, 64 * 1024))
    }
    if head.expectsContinue, head.framing != .none, head.framing != .length(0), parser.bufferedCount == 0 {
      noteOutput(now)
      output.write { ResponseEncoder.append(ResponseEncoder.continueLine, to: &$0) }
    }
  }

  /// What stands against reading the body, reserving memory for its beginning if nothing does: the rest is reserved as
  /// it comes, because a length that is only announced must not keep others out.
  private func refusal(_ head: HTTPRequestHead, _ route: Route, _ current: Exchange) -> Problem? {
    if head.hasUnknownExpectation { return HTTPProblems.expectationFailed }
    guard case .length(let length) = head.framing else { return nil }
    if length > route.bodyLimit {
      return HTTPProblems.bodyTooLarge(limit: route.bodyLimit, setting: route.bodyLimitSetting)
    }
    let beginning = min(length, Self.reservedBodyBytes)
    guard context.budget.reserve(beginning) else { return HTTPProblems.tooManyBodyBytes(limit: context.budget.limit) }
    current.reserved = beginning
    return nil
  }

  /// Notes bytes of the body; false if the request was refused for them.
  private mutating func takeBody(_ count: Int, _ now: Moment) -> Bool {
    windowReceived += count
    exchange?.received += count
    if phase == .discarding {
      body.removeAll(keepingCapacity: true)
      return true
    }
    if let current = exchange, current.received > current.reserved {
      let more = current.received - current.reserved
      guard context.budget.reserve(more) else {
        answer(HTTPProblems.tooManyBodyBytes(limit: context.budget.limit).response(), lingering: true, now)
        return false
      }
      exchange?.reserved += more
    }
    return true
  }

  private mutating func finishRequest(_ now: Moment) {
    guard phase != .discarding, let current = exchange, let route = current.route else {
      exchange = nil
      body = []
      return beginIdle(now)
    }
    phase = .handling
    let reservation = current.reserved > 0 ? BodyReservation(context.budget, current.reserved) : nil
    exchange?.reserved = 0
    let request = HTTPRequest(
      head: current.head, body: body, reservation: reservation, remoteAddress: remoteAddress, id: current.id,
      parameters: current.parameters)
    body = []
    actions.append(.handle(request, route))
  }

  /// Answers a request whose body has not been read.
  private mutating func answerEarly(_ response: HTTPResponse, _ now: Moment) {
    guard let head = exchange?.head else { return }
    let hasBody = head.framing != .none && head.framing != .length(0)
    let canDiscard =
      switch head.framing {
      case .none, .length(0): true
      case .length(let length):
        length <= Self.discardedBodyBytes && response.status != 413 && !head.expectsContinue && head.keepAlive
      case .chunked: false
      }
    // The bound of what is discarded, not that of a route: there may be none, or it may be another request's.
    if canDiscard { parser.bodyLimit = .max }
    // A draining connection closes after its answer, which an unread body would turn into a reset.
    answer(response, lingering: !canDiscard || (isDraining && hasBody), now)
    // The parser still has to come to the request's end.
    if phase == .idle { phase = .discarding }
  }

  /// Answers bytes that are not a request, and gives the connection up.
  private mutating func refuse(_ error: HTTPParseError, _ now: Moment) {
    if phase == .discarding {
      // The request has its answer already.
      phase = .lingering
      phaseStarted = now
      return
    }
    var problem = HTTPProblems.of(error)
    if case .bodyTooLarge(let limit) = error, let route = exchange?.route {
      problem = HTTPProblems.bodyTooLarge(limit: limit, setting: route.bodyLimitSetting)
    }
    answer(problem.response(), lingering: true, now)
  }
}
