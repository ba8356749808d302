import HTTP
import Testing

@Test func streamIsChunked() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.startStream(HTTPResponse(status: 200, contentType: "text/event-stream", body: Array("first".utf8)))
  let head = connection.output()
  #expect(head.contains("Transfer-Encoding: chunked\r\n") && !head.contains("Content-Length"))
  #expect(head.hasSuffix("\r\n\r\n5\r\nfirst\r\n"))
  connection.answer(.streamWrite([UInt8](repeating: 0x61, count: 26)))
  #expect(connection.output() == "1a\r\naaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
  connection.answer(.streamFinish)
  #expect(connection.output() == "0\r\n\r\n")
  #expect(connection.endedStreams == 1 && connection.exchanges.first?.bytesSent == 31)
  connection.receive(getA)
  #expect(connection.handled.count == 2)
}

@Test func requestsBehindAStreamWait() {
  var connection = TestConnection()
  connection.receive(getA + getA)
  connection.startStream()
  #expect(connection.handled.count == 1)
  connection.answer(.streamFinish)
  #expect(connection.handled.count == 2)
}

@Test func oldClientGetsAStreamUntilTheConnectionCloses() {
  var connection = TestConnection()
  connection.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
  connection.startStream()
  connection.answer(.streamWrite([0x61]))
  connection.answer(.streamFinish)
  let output = connection.output()
  #expect(output.contains("Connection: close\r\n") && !output.contains("chunked"))
  #expect(output.hasSuffix("\r\n\r\na"))
  #expect(connection.machine.isClosed)
}

@Test func streamToHeadHasNoBody() {
  var connection = TestConnection()
  connection.receive("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
  connection.startStream(.text(200, "first"))
  connection.answer(.streamWrite([0x61]))
  #expect(connection.output().hasSuffix("\r\n\r\n"))
  #expect(connection.endedStreams == 1)
  connection.receive(getA)
  #expect(connection.handled.count == 2)
}

@Test func streamEndsWhenTheClientGoes() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.startStream()
  connection.receiveEnd()
  #expect(connection.endedStreams == 1 && connection.machine.isClosed)
}

@Test func streamOverItsBoundBreaksTheConnectionWithoutAnEnd() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.startStream()
  _ = connection.output()
  connection.answer(.streamAbort)
  #expect(connection.machine.isClosed && connection.output().isEmpty && connection.endedStreams == 1)
}

@Test func drainingClosesIdleConnectionsAndEndsStreams() {
  var idle = TestConnection()
  idle.drain()
  #expect(idle.machine.isClosed)

  var streaming = TestConnection()
  streaming.receive(getA)
  streaming.startStream()
  streaming.drain()
  #expect(streaming.output().hasSuffix("0\r\n\r\n"))
  #expect(streaming.machine.isClosed)
}

@Test func drainingLetsFiniteStreamsAndRequestsFinish() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.drain()
  connection.answer("x")
  #expect(connection.output().contains("Connection: close\r\n"))
  #expect(connection.machine.isClosed)

  var streaming = TestConnection()
  streaming.receive(getA)
  streaming.startStream(endsOnDrain: false)
  streaming.drain()
  streaming.answer(.streamWrite([0x61]))
  streaming.answer(.streamFinish)
  #expect(streaming.output().hasSuffix("1\r\na\r\n0\r\n\r\n"))
  #expect(streaming.machine.isClosed)
}

@Test func bytesOfAStreamThatIsOverAreNotToldToTheNext() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.startStream()
  connection.answer(.streamWrite([UInt8](repeating: 0x61, count: 40_000)))
  connection.answer(.streamFinish)
  connection.receive(getA)
  connection.startStream()
  connection.answer(.streamWrite([UInt8](repeating: 0x62, count: 30_000)))
  var told = 0
  while connection.machine.hasOutput { told += connection.machine.sent(1, now: connection.now) }
  #expect(told == 30_000)
}
