import HTTP
import Testing

@Test func headHasADeadlineFromItsFirstByte() {
  var connection = TestConnection()
  connection.wait(.seconds(30))
  connection.receive("GET /a HT")
  connection.wait(.seconds(9))
  connection.receive("TP/1.1\r\n")
  #expect(!connection.machine.hasOutput)
  connection.wait(.seconds(1))
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 408 Request Timeout\r\n") && output.contains("Connection: close\r\n"))
  #expect(output.contains("\"limit\":10,\"setting\":\"header_deadline_seconds\""))
}

@Test func idleConnectionIsClosed() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.wait(.seconds(600))
  connection.answer("x")
  _ = connection.output()
  connection.wait(.seconds(59))
  #expect(!connection.machine.isClosed)
  connection.wait(.seconds(1))
  #expect(connection.machine.isClosed)
  #expect(!connection.machine.hasOutput)
}

@Test func bodyHasToComeFastEnoughInEveryWindow() {
  var connection = TestConnection(configure: { $0.minimumBodyRate = 10 })
  connection.receive("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n")
  for _ in 0..<3 {
    connection.receive(String(repeating: "x", count: 100))
    connection.wait(.seconds(10))
    #expect(!connection.machine.hasOutput)
  }
  connection.receive(String(repeating: "x", count: 99))
  connection.wait(.seconds(10))
  let output = connection.output()
  #expect(output.hasPrefix("HTTP/1.1 408 "))
  #expect(output.contains("\"limit\":10,\"setting\":\"minimum_body_rate\""))
}

@Test func handlerHasNoDeadline() {
  var connection = TestConnection()
  connection.receive(getA)
  #expect(connection.machine.deadline == nil)
}

@Test func clientThatTakesNothingIsGivenUp() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.answer("x")
  connection.wait(.seconds(29))
  #expect(!connection.machine.isClosed)
  connection.wait(.seconds(1))
  #expect(connection.machine.isClosed)
}

/// A client that takes one byte every 10 seconds; returns whether it is given up within 10 minutes.
private func isGivenUp(_ connection: inout TestConnection) -> Bool {
  for _ in 0..<60 where !connection.machine.isClosed {
    connection.wait(.seconds(10))
    if connection.machine.hasOutput { _ = connection.machine.sent(1, now: connection.now) }
  }
  return connection.machine.isClosed
}

@Test func clientThatTakesItsAnswerTooSlowlyIsGivenUp() {
  for (rate, isCut) in [(1024, true), (0, false)] {
    var connection = TestConnection(configure: { $0.minimumBodyRate = rate })
    connection.receive(getA)
    connection.answer(.response(HTTPResponse(status: 200, body: [UInt8](repeating: 1, count: 100_000))))
    #expect(isGivenUp(&connection) == isCut)
  }
}

@Test func clientThatTakesItsAnswerFastEnoughMayTakeLong() {
  var connection = TestConnection()
  connection.receive("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  connection.answer(.response(HTTPResponse(status: 200, body: [UInt8](repeating: 1, count: 200_000))))
  var taken = 0
  while connection.machine.hasOutput {
    connection.wait(.seconds(10))
    guard !connection.machine.isClosed else { break }
    for _ in 0..<20_000 where connection.machine.hasOutput {
      _ = connection.machine.sent(1, now: connection.now)
      taken += 1
    }
  }
  #expect(taken > 200_000)
}

@Test func streamHasNoRate() {
  var connection = TestConnection()
  connection.receive(getA)
  connection.startStream()
  connection.answer(.streamWrite([UInt8](repeating: 1, count: 100_000)))
  #expect(!isGivenUp(&connection))
  // Its time does not count against what is left of it when it ends.
  connection.answer(.streamFinish)
  connection.wait(.seconds(20))
  #expect(!connection.machine.isClosed)
}
