// Drives a whole connection without a socket. The bytes of an input are what the client sends; everything else that can
// happen to a connection (how the bytes are split, what handlers answer and when, how fast the client reads, the clock,
// the client's end, a drain) is drawn from a generator that the input seeds. What is checked:
// - every request that was handled is reported as finished once, and so is every stream;
// - a connection that its deadlines are left to run out on closes;
// - when it has closed and nobody holds its requests, no body byte is reserved.

private struct Generator {
  var state: UInt64

  mutating func next(below bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}

private struct ConnectionRun {
  private var connection: HTTPConnection
  private let budget: BodyBudget
  private var generator: Generator
  private var now = Moment(nanoseconds: 1_000_000_000)
  /// The request that waits for its answer. Held like this by handlers, and with it its reserved bytes.
  private var handled: HTTPRequest?
  private var handledIDs: Set<UInt64> = []
  private var isStreaming = false
  private var startedStreams = 0
  private var endedStreams = 0

  init(small: Bool, seed: UInt64) {
    generator = Generator(state: seed)
    var router = Router()
    router.on(.get, "/a") { _, _ in }
    router.on(.post, "/t", bodyLimit: 16) { _, _ in }
    router.on(.post, "/t/{id}", bodyLimit: 1 << 20) { _, _ in }
    router.authorize = { head, _, _ in
      head.headers.contains("Authorization")
        ? Problem(type: "/problems/x", title: "x", status: 401, detail: "x") : nil
    }
    var configuration = HTTPServerConfiguration(address: HTTPAddress(host: "127.0.0.1", port: 0))
    configuration.maximumBufferedBytes = small ? 24 : 4096
    if small {
      configuration.requestLineBytes = 40
      configuration.headerBytes = 120
      configuration.headerFields = 4
      configuration.trailerBytes = 24
    }
    budget = BodyBudget(limit: configuration.maximumBufferedBytes)
    let context = ConnectionContext(configuration: configuration, router: router, budget: budget)
    connection = HTTPConnection(context: context, remoteAddress: "192.0.2.1", now: now)
  }

  mutating func run(_ bytes: UnsafeRawBufferPointer) {
    var index = 0
    var steps = 0
    while !connection.isClosed, steps < 4 * bytes.count + 64 {
      steps += 1
      switch generator.next(below: 24) {
      case 0: connection.drain(now: now)
      case 1: wait(.seconds(generator.next(below: 40)))
      case 2...4: send(generator.next(below: 400) + 1)
      case 5...8: answer()
      case 9 where index == bytes.count: connection.receiveEnd(now: now)
      case 10 where generator.next(below: 40) == 0: connection.fail(now: now)
      case 11 where generator.next(below: 40) == 0: connection.receiveEnd(now: now)
      default:
        guard connection.wantsRead, index < bytes.count else { break }
        let end = min(bytes.count, index + 1 + generator.next(below: 40))
        connection.receive(UnsafeRawBufferPointer(rebasing: bytes[index..<end]), now: now)
        index = end
      }
      takeActions()
    }
    finish()
  }

  /// The handler answers, the client reads all or nothing more comes: whatever is left is a matter of deadlines.
  private mutating func finish() {
    for _ in 0..<64 where !connection.isClosed {
      if connection.requestInFlight != nil { answer(whole: true) }
      if generator.next(below: 2) == 0 { send(.max) }
      takeActions()
      wait(.seconds(3600))
      takeActions()
    }
    precondition(connection.isClosed, "a connection outlives its deadlines")
    takeActions()
    handled = nil
    precondition(handledIDs.isEmpty, "a handled request was never finished")
    precondition(startedStreams == endedStreams, "streams and their ends differ")
    precondition(budget.usedBytes == 0, "a closed connection keeps body bytes reserved")
  }

  private mutating func wait(_ duration: Duration) {
    now = now + duration
    if let deadline = connection.deadline, deadline <= now { connection.expire(now: now) }
  }

  private mutating func send(_ most: Int) {
    var rest = most
    while rest > 0, connection.hasOutput {
      let count = connection.withOutput { bytes, _ in min(rest, bytes.count) } ?? 0
      precondition(count > 0)
      _ = connection.sent(count, now: now)
      rest -= count
    }
  }

  private mutating func answer(whole: Bool = false) {
    guard let request = connection.requestInFlight else { return }
    // Some handlers let go of the request before they answer.
    if generator.next(below: 2) == 0 { handled = nil }
    let size = generator.next(below: 8) == 0 ? 300_000 : generator.next(below: 50)
    let bytes = [UInt8](repeating: 0x61, count: size)
    if isStreaming {
      let event: ResponderEvent =
        switch whole ? 0 : generator.next(below: 4) {
        case 0: .streamFinish
        case 1 where generator.next(below: 8) == 0: .streamAbort
        default: .streamWrite(bytes)
        }
      connection.answer(event, request: request, now: now)
    } else if whole || generator.next(below: 3) > 0 {
      connection.answer(.response(HTTPResponse(status: 200, body: bytes)), request: request, now: now)
    } else {
      let responder = Responder { _ in }
      let head = HTTPResponse(status: 200)
      let stream = responder.startStream(head, endsOnDrain: generator.next(below: 2) == 0)
      startedStreams += 1
      isStreaming = true
      connection.answer(.streamStart(head, stream), request: request, now: now)
    }
  }

  private mutating func takeActions() {
    while let action = connection.popAction() {
      switch action {
      case .handle(let request, let route):
        precondition(request.body.count <= route.bodyLimit, "a body over its route's limit")
        precondition(request.head.headers["Authorization"] == nil)
        precondition(handledIDs.isEmpty, "two requests at once")
        handledIDs.insert(request.id)
        handled = request
      case .finished(let exchange):
        handledIDs.remove(exchange.id)
        handled = nil
      case .streamEnded:
        endedStreams += 1
        isStreaming = false
      }
    }
  }
}

func fuzzConnection(_ bytes: UnsafeRawBufferPointer, small: Bool, seed: UInt64) {
  var run = ConnectionRun(small: small, seed: seed)
  run.run(bytes)
}
