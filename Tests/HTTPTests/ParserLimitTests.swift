import HTTP
import Testing

private func limits(_ change: (inout HTTPParserLimits) -> Void) -> HTTPParserLimits {
  var limits = HTTPParserLimits()
  change(&limits)
  return limits
}

private func expectLimit(
  _ text: (Int) -> String, at limit: Int, _ limits: HTTPParserLimits, bodyLimit: Int = .max, _ error: HTTPParseError
) {
  for pieces in [.max, 1, 7] {
    let under = Parsed(text(limit), pieces: pieces, limits: limits, bodyLimit: bodyLimit)
    #expect(under.error == nil && under.requests.first?.isComplete == true, "at the limit, pieces of \(pieces)")
    #expect(Parsed(text(limit + 1), pieces: pieces, limits: limits, bodyLimit: bodyLimit).error == error)
  }
}

@Test func requestLineHasALimit() {
  // "GET /" + target + " HTTP/1.1\r\n" is 16 bytes and the target.
  expectLimit(
    { "GET /\(String(repeating: "a", count: $0 - 16)) HTTP/1.1\r\nHost: a\r\n\r\n" }, at: 100,
    limits { $0.requestLineBytes = 100 }, .targetTooLong(limit: 100))
}

@Test func requestLineWithoutAnEndHasALimit() {
  let parsed = Parsed(String(repeating: "a", count: 101), limits: limits { $0.requestLineBytes = 100 })
  #expect(parsed.error == .targetTooLong(limit: 100))
}

@Test func headHasALimit() {
  // 16 + 9 + 5 + value + 2 bytes.
  expectLimit(
    { "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "b", count: $0 - 32))\r\n\r\n" }, at: 200,
    limits { $0.headerBytes = 200 }, .headerTooLarge(limit: 200))
}

@Test func headWithoutAnEndHasALimit() {
  let endless = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 40_000)
  #expect(Parsed(endless).error == .headerTooLarge(limit: 32 * 1024))
}

@Test func fieldsHaveALimit() {
  expectLimit(
    { "GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: $0 - 1))\r\n" }, at: 100,
    HTTPParserLimits(), .tooManyFields(limit: 100))
}

@Test func bodyOfGivenLengthHasALimit() {
  expectLimit(
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \($0)\r\n\r\n\(String(repeating: "b", count: $0))" }, at: 50,
    HTTPParserLimits(), bodyLimit: 50, .bodyTooLarge(limit: 50))
}

@Test func chunkedBodyHasALimit() {
  expectLimit(
    {
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "\(String(repeating: "1\r\nx\r\n", count: $0))0\r\n\r\n"
    }, at: 50, HTTPParserLimits(), bodyLimit: 50, .bodyTooLarge(limit: 50))
}

@Test func trailerHasALimit() {
  // "T: " + value + CRLF, then the empty line.
  expectLimit(
    {
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + "T: \(String(repeating: "x", count: $0 - 7))\r\n\r\n"
    }, at: 60, limits { $0.trailerBytes = 60 }, .trailerTooLarge(limit: 60))
}

@Test func trailerFieldsHaveALimit() {
  expectLimit(
    {
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + "\(String(repeating: "T: x\r\n", count: $0))\r\n"
    }, at: 5, limits { $0.headerFields = 5 }, .tooManyFields(limit: 5))
}
