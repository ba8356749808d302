import HTTP
import Testing

// Requests that are answered by their head, on connections that go on.

private func post(_ target: String, _ length: Int, _ fields: String = "", method: String = "POST") -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\(fields)\r\n"
}

private func bytes(_ count: Int) -> String { String(repeating: "x", count: count) }

@Test(arguments: [
  ("POST", "/none", "", 404), ("POST", "/a", "", 405), ("OPTIONS", "/a", "", 204), ("BREW", "/a", "", 501),
  ("POST", "/upload", "Authorization: no\r\n", 401), ("POST", "/big", "Expect: tea\r\n", 417),
])
func refusedBodyIsDroppedWhateverTheRouteBeforeAllowed(method: String, target: String, fields: String, status: Int) {
  var connection = TestConnection(routes: { router in
    TestConnection.usualRoutes(&router)
    router.authorize = { head, _, _ in
      head.headers["Authorization"].map { Problem(type: "/problems/x", title: "x", status: 401, detail: $0) }
    }
  })
  // GET /a takes no body at all.
  connection.receive(getA)
  connection.answer("x")
  _ = connection.output()
  connection.receive(post(target, 3000, fields, method: method))
  #expect(connection.output().hasPrefix("HTTP/1.1 \(status) "))
  connection.receive(bytes(3000) + getA)
  #expect(connection.handled.count == 2)
  // And the next route's limit is its own again.
  connection.answer("x")
  _ = connection.output()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n")
  #expect(connection.output().contains("\"limit\":1000"))
}

@Test func refusedBodyIsDroppedUpToItsBoundOnly() {
  var dropped = TestConnection()
  dropped.receive(post("/none", 64 * 1024))
  #expect(!dropped.output().contains("Connection: close"))
  dropped.receive(bytes(64 * 1024) + getA)
  #expect(dropped.handled.count == 1)

  var closed = TestConnection()
  closed.receive(post("/none", 64 * 1024 + 1))
  #expect(closed.output().contains("Connection: close"))
  #expect(closed.machine.wantsShutdown)
}

@Test func droppedBodyHasToComeFastEnoughToo() {
  var connection = TestConnection(configure: { $0.minimumBodyRate = 10 })
  connection.receive(post("/none", 3000))
  _ = connection.output()
  connection.receive(bytes(100))
  connection.wait(.seconds(10))
  #expect(!connection.machine.isClosed)
  connection.receive(bytes(99))
  connection.wait(.seconds(10))
  // The answer has gone already: nothing is left to say.
  #expect(connection.machine.isClosed && !connection.machine.hasOutput)
}

@Test func drainingListensToABodyItHasRefused() {
  var connection = TestConnection()
  connection.receive("POST /none HTTP/1.1\r\n")
  connection.drain()
  connection.receive("Host: a\r\nContent-Length: 10\r\n\r\n")
  #expect(connection.output().contains("Connection: close\r\n"))
  // Closing over the unread body would reset the connection.
  #expect(!connection.machine.isClosed && connection.machine.wantsShutdown)
  connection.receiveEnd()
  #expect(connection.machine.isClosed)
}

@Test func clientThatGoesInTheMiddleOfARequestStillGetsTheAnswersBefore() {
  for rest in ["GET /a HT", post("/upload", 10) + "abc", post("/none", 10) + "abc"] {
    var connection = TestConnection()
    connection.receive(getA + rest)
    connection.answer("first")
    connection.receiveEnd()
    #expect(connection.output().contains("\r\n\r\nfirst"))
    #expect(connection.machine.isClosed && connection.budget.usedBytes == 0)
  }
}

@Test func limitsOfTheHeadNameWhatRaisesThem() {
  func head(_ configure: (inout HTTPServerConfiguration) -> Void, _ text: String) -> String {
    var connection = TestConnection(configure: configure)
    connection.receive(text)
    return connection.output()
  }
  let long = bytes(300)
  let chunked = "POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
  let cases = [
    (head({ $0.requestLineBytes = 100 }, "GET /\(long)"), 414, "\"limit\":100,\"setting\":\"request_line_bytes\""),
    (head({ $0.headerBytes = 100 }, "GET /\(long)"), 431, "\"limit\":100,\"setting\":\"header_bytes\""),
    (
      head({ $0.headerBytes = 100 }, "GET /a HTTP/1.1\r\nX: \(long)"), 431, "\"limit\":100,\"setting\":\"header_bytes\""
    ),
    (
      head({ $0.headerFields = 1 }, "GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n"), 431,
      "\"limit\":1,\"setting\":\"header_fields\""
    ),
    (
      head({ $0.trailerBytes = 100 }, chunked + "0\r\nX: \(long)"), 431,
      "\"limit\":100,\"setting\":\"trailer_bytes\""
    ),
    (head({ _ in }, chunked + "1;\(long)"), 400, "\"limit\":256}"),
    (
      head({ _ in }, chunked + String(repeating: "1;\(bytes(200))\r\nx\r\n", count: 90)), 400,
      "\"limit\":16384}"
    ),
  ]
  for (output, status, members) in cases {
    #expect(output.hasPrefix("HTTP/1.1 \(status) "))
    #expect(output.contains(members), "\(output)")
  }
}

@Test func headMayBeLongerThanWhatIsReadAhead() {
  var connection = TestConnection(configure: { $0.headerBytes = 200_000 })
  connection.receive("GET /a HTTP/1.1\r\nHost: a\r\nX: ")
  for _ in 0..<19 {
    #expect(connection.machine.wantsRead)
    connection.receive(bytes(10_000))
  }
  connection.receive("\r\n\r\n")
  #expect(connection.handled.count == 1)
}
