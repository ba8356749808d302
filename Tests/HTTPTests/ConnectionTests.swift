import HTTP
import Testing

@Test func connectionAnswersAndStaysOpen() {
  var connection = TestConnection()
  connection.receive(getA)
  #expect(connection.handled.count == 1)
  connection.answer("hello")
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 200 OK\r\nServer: clserver\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"))
  #expect(output.contains("Content-Length: 5\r\n"))
  #expect(output.hasSuffix("\r\n\r\nhello"))
  #expect(!connection.machine.isClosed)
  connection.receive(getA)
  #expect(connection.handled.count == 2)
}

@Test func pipelinedRequestsAreHandledOneAfterTheOther() {
  var connection = TestConnection()
  connection.receive(getA + getA + getA)
  for number in 1...3 {
    #expect(connection.handled.count == number)
    connection.answer("\(number)")
  }
  let output = connection.output()
  #expect(output.components("HTTP/1.1 200") == 3)
  #expect(output.hasSuffix("\r\n\r\n3"))
}

@Test func clientThatDoesNotReadIsNotParsedFor() {
  var connection = TestConnection()
  connection.receive(getA + getA)
  connection.answer(.response(HTTPResponse(status: 200, body: [UInt8](repeating: 1, count: 300_000))))
  #expect(connection.handled.count == 1)
  _ = connection.output()
  #expect(connection.handled.count == 2)
}

@Test func clientThatPipelinesWithoutBoundIsNotReadFrom() {
  var connection = TestConnection()
  connection.receive(getA)
  for _ in 0..<3000 where connection.machine.wantsRead { connection.receive(getA) }
  #expect(!connection.machine.wantsRead)
}

@Test func headHasTheLengthAndNoBody() {
  var connection = TestConnection()
  connection.receive("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
  connection.answer("hello")
  let output = connection.output()
  #expect(output.contains("Content-Length: 5\r\n"))
  #expect(output.hasSuffix("\r\n\r\n"))
  #expect(connection.exchanges.first?.bytesSent == 0)
}

@Test func responseWithoutContentHasNoLength() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.answer(.response(HTTPResponse(status: 204)))
  #expect(!connection.output().contains("Content-Length"))
}

@Test func connectionClosesWhenTheClientAsksForIt() {
  var connection = TestConnection()
  connection.receive("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  connection.answer("x")
  #expect(connection.output().contains("Connection: close\r\n"))
  #expect(connection.machine.isClosed)
}

@Test func oldClientKeepsTheConnectionOnlyIfItAsks() {
  var connection = TestConnection()
  connection.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
  connection.answer("x")
  #expect(connection.output().contains("Connection: keep-alive\r\n"))
  connection.receive("GET /a HTTP/1.0\r\n\r\n")
  connection.answer("x")
  _ = connection.output()
  #expect(connection.machine.isClosed)
}

@Test func handlerCannotInjectFieldsOrChangeTheFraming() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.answer(
    .response(
      HTTPResponse(
        status: 200, headers: ["X": "a\r\nSet-Cookie: b", "Content-Length": "99", "Transfer-Encoding": "x"],
        body: [0x61])))
  let output = connection.output()
  #expect(output.contains("X: a  Set-Cookie: b\r\n"))
  #expect(output.contains("Content-Length: 1\r\n"))
  #expect(!output.contains("99") && !output.contains("Transfer-Encoding"))
}

@Test func answerToAnotherRequestIsIgnored() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.machine.answer(.response(.text(200, "x")), request: 999, now: connection.now)
  #expect(!connection.machine.hasOutput)
}

@Test func unreadableBytesAreAnsweredAndTheConnectionGivenUp() {
  var connection = TestConnection()
  connection.receive("GET / HTTP/1.1\nHost: a\r\n\r\n")
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
  #expect(output.contains("Content-Type: application/problem+json\r\n") && output.contains("Connection: close\r\n"))
  #expect(output.contains("\"type\":\"/problems/bad-request\""))
  #expect(connection.machine.wantsShutdown && connection.machine.wantsRead && !connection.machine.isClosed)
  #expect(connection.exchanges.first?.status == 400)
  connection.receiveEnd()
  #expect(connection.machine.isClosed)
}

@Test func refusedClientIsListenedToForAWhileOnly() {
  var connection = TestConnection()
  connection.receive("x y\r\n")
  _ = connection.output()
  connection.receive(String(repeating: "z", count: 1000))
  connection.wait(.seconds(3))
  #expect(connection.machine.isClosed)
}

@Test func continueIsSentOnlyIfTheBodyIsWanted() {
  func head(_ target: String, _ length: Int) -> String {
    "POST \(target) HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\r\n"
  }
  var connection = TestConnection()
  connection.receive(head("/upload", 5))
  #expect(connection.output() == "HTTP/1.1 100 Continue\r\n\r\n")
  connection.receive("hello")
  #expect(connection.handled.first?.body == Array("hello".utf8))

  for (target, length, status) in [("/upload", 5000, 413), ("/none", 5, 404), ("/a", 5, 405)] {
    var refused = TestConnection()
    refused.receive(head(target, length))
    #expect(refused.output().hasPrefix("HTTP/1.1 \(status) "))
    #expect(refused.machine.wantsShutdown)
  }
}

@Test func continueIsNotSentWhenTheBodyIsThereAlready() {
  var connection = TestConnection()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
  #expect(connection.output().isEmpty)
  #expect(connection.handled.count == 1)
}

@Test func unknownExpectationIsRefused() {
  var connection = TestConnection()
  connection.receive("GET /a HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n")
  #expect(connection.output().hasPrefix("HTTP/1.1 417 Expectation Failed\r\n"))
}

@Test func authorizationIsAskedBeforeTheBodyIsRead() {
  var connection = TestConnection(routes: { router in
    TestConnection.usualRoutes(&router)
    router.authorize = { head, route, _ in
      head.headers["Authorization"] == nil
        ? Problem(type: "/problems/no-key", title: "No key", status: 401, detail: route.pattern) : nil
    }
  })
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
  #expect(connection.output().hasPrefix("HTTP/1.1 401 Unauthorized\r\n"))
  // A short body is dropped and the connection goes on.
  connection.receive("abc" + "GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n")
  #expect(connection.handled.count == 1)
}

@Test func bodyOverTheRoutesLimitNamesLimitAndSetting() {
  var connection = TestConnection()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 413 Content Too Large\r\n") && output.contains("Connection: close\r\n"))
  #expect(output.contains("\"limit\":1000,\"setting\":\"upload_bytes\""))
}

@Test func chunkedBodyOverTheRoutesLimitIsRefusedOnTheWay() {
  var connection = TestConnection()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n")
  connection.receive(String(repeating: "x", count: 1000) + "\r\n1\r\n")
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 413 "))
  #expect(output.contains("\"setting\":\"upload_bytes\""))
  #expect(connection.budget.usedBytes == 0)
}

@Test func bodyBytesOfAllConnectionsAreBounded() {
  var connection = TestConnection(configure: { $0.maximumBufferedBytes = 500 })
  #expect(connection.budget.reserve(300))
  connection.receive("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 201\r\n\r\n")
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n") && output.contains("Retry-After: 1\r\n"))
  #expect(output.contains("\"limit\":500,\"setting\":\"maximum_buffered_bytes\""))
  #expect(connection.budget.usedBytes == 300)
}

@Test func announcedBodyCountsAsItComesAfterItsFirstMebibyte() {
  var connection = TestConnection(configure: { $0.maximumBufferedBytes = 3 << 20 })
  connection.receive("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: \(512 << 20)\r\n\r\n")
  #expect(connection.budget.usedBytes == 1 << 20)
  connection.receive(String(repeating: "x", count: 2 << 20))
  #expect(connection.budget.usedBytes == 2 << 20)
  connection.receive(String(repeating: "x", count: 1 << 20) + "x")
  #expect(connection.output().hasPrefix("HTTP/1.1 503 "))
  #expect(connection.budget.usedBytes == 0)
}

@Test func chunkedBodyCountsAsItComes() {
  var connection = TestConnection(configure: { $0.maximumBufferedBytes = 10 })
  connection.receive("POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabcdefgh\r\n")
  #expect(connection.budget.usedBytes == 8)
  connection.receive("3\r\nijk\r\n")
  #expect(connection.output().hasPrefix("HTTP/1.1 503 "))
  #expect(connection.budget.usedBytes == 0)
}

@Test func bodyBytesAreReleasedWithTheRequestAndByTheClientGoing() {
  var connection = TestConnection()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
  #expect(connection.budget.usedBytes == 5)
  connection.answer("x")
  // Whoever still holds the request holds its body.
  #expect(connection.budget.usedBytes == 5)
  connection.handled = []
  #expect(connection.budget.usedBytes == 0)
  _ = connection.output()
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
  #expect(connection.budget.usedBytes == 5)
  connection.receiveEnd()
  #expect(connection.machine.isClosed && connection.budget.usedBytes == 0)
}

@Test func halfClosedClientStillGetsItsAnswers() {
  var connection = TestConnection()
  connection.receive(getA + getA)
  connection.receiveEnd()
  connection.answer("1")
  connection.answer("2")
  #expect(connection.output().components("HTTP/1.1 200") == 2)
  #expect(connection.machine.isClosed)
}

@Test func exchangeIsReported() {
  var connection = TestConnection()
  connection.receive("POST /upload?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
  connection.now = connection.now + .milliseconds(20)
  connection.receive("c")
  connection.now = connection.now + .milliseconds(30)
  connection.answer("hello")
  let exchange = connection.exchanges.first
  #expect(exchange?.method == "POST" && exchange?.route == "/upload" && exchange?.target == "/upload?x=1")
  #expect(exchange?.status == 200 && exchange?.bytesReceived == 3 && exchange?.bytesSent == 5)
  #expect(exchange?.duration == .milliseconds(50) && exchange?.remoteAddress == "192.0.2.1")
  #expect(exchange?.id == connection.handled.first?.id)
}

extension String {
  /// How often a text occurs.
  func components(_ text: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: text) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
