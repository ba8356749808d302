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
  #expect(output.contains("\"setting\":\"header_deadline_seconds\""))
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
  #expect(output.contains("\"setting\":\"minimum_body_rate\""))
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
