import HTTP

/// A connection without a socket, with a clock that only the test moves.
struct TestConnection {
  var machine: HTTPConnection
  let budget: BodyBudget
  var now = Moment(nanoseconds: 1_000_000_000)
  var handled: [HTTPRequest] = []
  var exchanges: [HTTPExchange] = []
  var endedStreams = 0

  init(
    routes: (inout Router) -> Void = TestConnection.usualRoutes,
    configure: (inout HTTPServerConfiguration) -> Void = { _ in }
  ) {
    var router = Router()
    routes(&router)
    var configuration = HTTPServerConfiguration(address: HTTPAddress(host: "127.0.0.1", port: 0))
    configure(&configuration)
    budget = BodyBudget(limit: configuration.maximumBufferedBytes)
    let context = ConnectionContext(configuration: configuration, router: router, budget: budget)
    machine = HTTPConnection(context: context, remoteAddress: "192.0.2.1", now: now)
  }

  static func usualRoutes(_ router: inout Router) {
    router.on(.get, "/a") { _, _ in }
    router.on(.post, "/upload", bodyLimit: 1000, bodyLimitSetting: "upload_bytes") { _, _ in }
    router.on(.post, "/big", bodyLimit: 1 << 30) { _, _ in }
  }

  mutating func receive(_ text: String) {
    machine.receive(Array(text.utf8), now: now)
    runActions()
  }

  mutating func receiveEnd() {
    machine.receiveEnd(now: now)
    runActions()
  }

  mutating func wait(_ duration: Duration) {
    now = now + duration
    if let deadline = machine.deadline, deadline <= now { machine.expire(now: now) }
    runActions()
  }

  /// Answers the request that was handled last.
  mutating func answer(_ event: ResponderEvent) {
    machine.answer(event, request: handled.last?.id ?? 0, now: now)
    runActions()
  }

  mutating func answer(_ text: String) {
    answer(.response(.text(200, text)))
  }

  mutating func startStream(_ head: HTTPResponse = .text(200, ""), endsOnDrain: Bool = true) {
    let responder = Responder { _ in }
    answer(.streamStart(head, responder.startStream(head, endsOnDrain: endsOnDrain)))
  }

  mutating func drain() {
    machine.drain(now: now)
    runActions()
  }

  /// What was sent since the last time.
  mutating func output() -> String {
    let bytes = machine.takeOutput(now: now)
    runActions()
    return String(decoding: bytes, as: UTF8.self)
  }

  private mutating func runActions() {
    while let action = machine.popAction() {
      switch action {
      case .handle(let request, _): handled.append(request)
      case .finished(let exchange): exchanges.append(exchange)
      case .streamEnded: endedStreams += 1
      }
    }
  }
}

let getA = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
