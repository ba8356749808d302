import Glibc
import HTTP
import Synchronization
import Testing

/// Responders that a handler has put aside, for the test to answer from its own thread.
private final class Waiting: Sendable {
  private let responders = Mutex<[Responder]>([])
  /// Whether `/block` holds its reactor up.
  let isBlocked = Atomic<Bool>(true)

  func add(_ responder: Responder) { responders.withLock { $0.append(responder) } }

  /// Waits until a handler has been called.
  func take() -> Responder {
    while true {
      if let responder = responders.withLock({ $0.popLast() }) { return responder }
      usleep(500)
    }
  }
}

private final class Exchanges: HTTPObserver {
  private let list = Mutex<[HTTPExchange]>([])
  func finished(_ exchange: HTTPExchange) { list.withLock { $0.append(exchange) } }
  var all: [HTTPExchange] { list.withLock { $0 } }
}

private func server(
  waiting: Waiting = Waiting(), observer: (any HTTPObserver)? = nil, address: String = "127.0.0.1:0",
  configure: (inout HTTPServerConfiguration) -> Void = { _ in }
) throws -> HTTPServer {
  var router = Router()
  router.on(.get, "/hello") { _, responder in responder.send(.text(200, "hello")) }
  router.on(.get, "/wait") { _, responder in waiting.add(responder) }
  router.on(.get, "/drop") { _, _ in }
  router.on(.get, "/block") { _, responder in
    waiting.add(responder)
    while waiting.isBlocked.load(ordering: .acquiring) { usleep(500) }
  }
  router.on(.post, "/count", bodyLimit: 100_000_000) { request, responder in
    responder.send(.text(200, "\(request.body.count) \(request.body.reduce(UInt64(0)) { $0 &+ UInt64($1) })"))
  }
  router.on(.get, "/large") { _, responder in
    responder.send(HTTPResponse(status: 200, body: [UInt8](repeating: 0x78, count: 8_000_000)))
  }
  var configuration = HTTPServerConfiguration(address: try #require(HTTPAddress(address)))
  configure(&configuration)
  let server = try HTTPServer(configuration: configuration, router: router, observer: observer)
  try server.start()
  return server
}

private func get(_ path: String, _ fields: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }
private let close = "Connection: close\r\n"

/// One at a time: they share two cores and their sockets.
@Suite(.serialized) struct ServerTests {
  @Test func oneConnectionServesManyRequests() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    for _ in 0..<100 {
      client.send(get("/hello"))
      #expect(client.receiveText(upTo: "hello").hasPrefix("HTTP/1.1 200 OK"))
    }
    server.stop()
  }

  @Test func pipelinedRequestsAreAllAnswered() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    client.send(String(repeating: get("/hello"), count: 499) + get("/hello", close))
    #expect(client.receiveAll().components("\r\n\r\nhello") == 500)
    server.stop()
  }

  @Test func requestMayComeByteByByte() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    for byte in Array("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\(close)\r\nabc".utf8) {
      client.send([byte])
    }
    #expect(client.receiveAll().hasSuffix("3 294"))
    server.stop()
  }

  @Test func halfClosedClientIsAnswered() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    client.send(get("/hello"))
    client.finishSending()
    #expect(client.receiveAll().hasSuffix("hello"))
    server.stop()
  }

  @Test func largeUploadArrives() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    let size = 50_000_000
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\(close)\r\n")
    client.send([UInt8](repeating: 2, count: size))
    #expect(client.receiveAll().hasSuffix("\(size) \(2 * size)"))
    server.stop()
  }

  @Test func clientThatIsStillSendingSeesWhyItIsRefused() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
    client.send([UInt8](repeating: 2, count: 5_000_000))
    let answer = client.receiveAll()
    #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.contains("\"limit\":100000000"))
    server.stop()
  }

  @Test func slowClientGetsEverything() throws {
    let server = try server()
    let client = TestClient(port: server.port, receiveBuffer: 4096)
    client.send(get("/large", close))
    #expect(client.receiveAll().utf8.count > 8_000_000)
    server.stop()
  }

  @Test(arguments: [1, 3]) func thousandConnectionsAreServedAtOnce(reactors: Int) throws {
    let server = try server { $0.reactors = reactors }
    let clients = (0..<1000).map { _ in TestClient(port: server.port) }
    for client in clients { client.send(get("/hello")) }
    for client in clients { #expect(client.receiveText(upTo: "hello").hasPrefix("HTTP/1.1 200 OK")) }
    server.stop()
  }

  @Test func connectionOverTheLimitIsToldSo() throws {
    let server = try server { $0.maximumConnections = 2 }
    let first = TestClient(port: server.port)
    let second = TestClient(port: server.port)
    for client in [first, second] {
      client.send(get("/hello"))
      _ = client.receiveText(upTo: "hello")
    }
    let third = TestClient(port: server.port)
    third.send(get("/hello"))
    let answer = third.receiveAll()
    #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"))
    #expect(answer.contains("\"limit\":2,\"setting\":\"maximum_connections\""))
    first.send(get("/hello"))
    #expect(first.receiveText(upTo: "hello").hasPrefix("HTTP/1.1 200 "))
    server.stop()
  }

  @Test func handlerMayAnswerFromAnotherThreadAndOnlyOnce() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting)
    let client = TestClient(port: server.port)
    client.send(get("/wait", close))
    let responder = waiting.take()
    responder.send(.text(200, "first"))
    responder.send(.text(200, "second"))
    #expect(client.receiveAll().hasSuffix("first"))
    server.stop()
  }

  @Test func droppedResponderIsAnError() throws {
    let server = try server()
    let client = TestClient(port: server.port)
    client.send(get("/drop", close))
    #expect(client.receiveAll().hasPrefix("HTTP/1.1 500 "))
    server.stop()
  }

  @Test func streamReachesTheClientAsItIsWritten() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting)
    let client = TestClient(port: server.port)
    client.send(get("/wait"))
    let stream = waiting.take().startStream(HTTPResponse(status: 200))
    stream.write("one\n")
    #expect(client.receiveText(upTo: "one\n\r\n").contains("Transfer-Encoding: chunked"))
    stream.write("two\n")
    #expect(client.receiveText(upTo: "two\n\r\n") == "4\r\ntwo\n\r\n")
    stream.finish()
    #expect(client.receiveText(upTo: "0\r\n\r\n") == "0\r\n\r\n")
    server.stop()
  }

  @Test func streamThatIsDroppedEnds() throws {
    let waiting = Waiting()
    let closed = Atomic<Int>(0)
    let server = try server(waiting: waiting)
    let client = TestClient(port: server.port)
    client.send(get("/wait"))
    var stream: ResponseStream? = waiting.take().startStream(HTTPResponse(status: 200))
    stream?.onClose { closed.add(1, ordering: .relaxed) }
    stream?.write("one")
    _ = client.receiveText(upTo: "one\r\n")
    stream = nil
    #expect(client.receiveText(upTo: "0\r\n\r\n") == "0\r\n\r\n")
    server.stop()
    #expect(closed.load(ordering: .relaxed) == 1)
  }

  @Test func streamLearnsThatTheClientHasGone() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting)
    var client: TestClient? = TestClient(port: server.port)
    client?.send(get("/wait"))
    let stream = waiting.take().startStream(HTTPResponse(status: 200))
    let closed = Atomic<Int>(0)
    stream.onClose { closed.add(1, ordering: .relaxed) }
    client = nil
    while !stream.isClosed { usleep(500) }
    server.stop()
    #expect(closed.load(ordering: .relaxed) == 1)
    stream.onClose { closed.add(1, ordering: .relaxed) }
    #expect(closed.load(ordering: .relaxed) == 2)
  }

  @Test func streamToASlowClientIsClosedAtItsBound() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting) { $0.streamBufferBytes = 100_000 }
    let client = TestClient(port: server.port, receiveBuffer: 4096)
    client.send(get("/wait"))
    let stream = waiting.take().startStream(HTTPResponse(status: 200))
    let piece = [UInt8](repeating: 0x78, count: 50_000)
    var written = 0
    while !stream.isClosed, written < 10_000 {
      stream.write(piece)
      written += 1
    }
    #expect(stream.isClosed)
    #expect(!client.receiveAll().hasSuffix("0\r\n\r\n"))
    server.stop()
  }

  @Test func drainFinishesTheRequestInFlight() throws {
    let waiting = Waiting()
    let exchanges = Exchanges()
    let server = try server(waiting: waiting, observer: exchanges)
    let idle = TestClient(port: server.port)
    idle.send(get("/hello"))
    _ = idle.receiveText(upTo: "hello")
    let client = TestClient(port: server.port)
    client.send(get("/wait"))
    let responder = waiting.take()
    let answer = Thread {
      // The idle connection is closed before the slow request is answered.
      #expect(idle.receive().isEmpty)
      responder.send(.text(200, "late"))
    }
    server.drain(timeout: .seconds(20))
    answer.join()
    let text = client.receiveAll()
    #expect(text.contains("Connection: close\r\n") && text.hasSuffix("late"))
    #expect(!TestClient(port: server.port).isConnected)
    #expect(exchanges.all.map(\.status) == [200, 200])
  }

  @Test func drainServesEveryConnectionThatTheKernelHasMade() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting)
    let first = TestClient(port: server.port)
    first.send(get("/block"))
    _ = waiting.take()
    // The reactor stands in the handler: these wait in the kernel.
    let others = (0..<200).map { _ in TestClient(port: server.port) }
    for client in others { client.send(get("/hello")) }
    let drain = Thread { server.drain(timeout: .seconds(20)) }
    // Time for the drain to be asked for. Were it late, the clients would be served all the same.
    usleep(100_000)
    waiting.isBlocked.store(false, ordering: .releasing)
    for client in others { #expect(client.receiveAll().hasSuffix("hello")) }
    drain.join()
  }

  @Test func drainGivesUpAtItsDeadline() throws {
    let waiting = Waiting()
    let server = try server(waiting: waiting)
    let client = TestClient(port: server.port)
    client.send(get("/wait"))
    let responder = waiting.take()
    server.drain(timeout: .milliseconds(50))
    #expect(client.receiveAll().isEmpty)
    responder.send(.text(200, "too late"))
  }

  @Test func slowHeadIsGivenUp() throws {
    let server = try server { $0.headerDeadline = .milliseconds(40) }
    let client = TestClient(port: server.port)
    client.send("GET /hel")
    #expect(client.receiveAll().hasPrefix("HTTP/1.1 408 "))
    server.stop()
  }

  @Test func idleConnectionIsClosedByTheServer() throws {
    let server = try server { $0.idleTimeout = .milliseconds(40) }
    let client = TestClient(port: server.port)
    #expect(client.receiveAll().isEmpty)
    server.stop()
  }

  @Test func serverListensOnIPv6() throws {
    let server = try server(address: "[::1]:0")
    #expect(server.port > 0)
    server.stop()
  }

  @Test func takenPortIsAnError() throws {
    let server = try server()
    let address = HTTPAddress(host: "127.0.0.1", port: server.port)
    #expect(throws: HTTPServerError.system(SystemCallError(call: "bind", errno: EADDRINUSE))) {
      _ = try HTTPServer(configuration: HTTPServerConfiguration(address: address), router: Router())
    }
    server.stop()
  }
}
