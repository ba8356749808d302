import HTTP
import Testing

private func head(_ text: String) -> HTTPRequestHead? {
  let parsed = Parsed(text)
  #expect(parsed.error == nil)
  return parsed.requests.first?.head
}

private func get(_ target: String, method: String = "GET", fields: String = "") -> HTTPRequestHead? {
  head("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
}

private let accepted: [RequestCase] = [
  RequestCase("the plainest request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  RequestCase("an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  RequestCase("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"),
  RequestCase("a later minor version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
  RequestCase("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
  RequestCase("a Host with a port", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n"),
  RequestCase("a Host that is an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
  RequestCase("a name in capitals", "GET / HTTP/1.1\r\nHOST: a\r\n\r\n"),
  RequestCase("no space after the colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n"),
  RequestCase("spaces and tabs around a value", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n"),
  RequestCase("an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"),
  RequestCase("a value of Latin-1", "GET / HTTP/1.1\r\nHost: a\r\nX: é\r\n\r\n"),
  RequestCase("a name of every kind of token character", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~0aZ: b\r\n\r\n"),
  RequestCase("a method nobody knows", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
  RequestCase("a length of nothing", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
  RequestCase("a length with leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc"),
  RequestCase("an empty chunked body", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  RequestCase("chunked in capitals", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"),
  RequestCase(
    "extensions of chunks",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b c\"\r\nabc\r\n0;x\r\n\r\n"),
  RequestCase(
    "a trailer",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n"
  ),
  RequestCase(
    "sizes with leading zeros and capitals",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n000\r\n\r\n"),
]

@Test(arguments: accepted)
func requestIsAcceptedHoweverTheBytesAreSplit(_ request: RequestCase) {
  for pieces in [.max, 1, 2, 5] {
    let parsed = Parsed(request.bytes, pieces: pieces)
    #expect(parsed.error == nil)
    #expect(parsed.requests.count == 1)
    #expect(parsed.requests.first?.isComplete == true)
  }
}

@Test func fieldsKeepTheirOrderAndAreTrimmed() {
  let head = get("/", fields: "X-B:  2 \r\nx-a: 1\t\r\nX-B: 3\r\n")
  #expect(head?.headers.map(\.name) == ["Host", "X-B", "x-a", "X-B"])
  #expect(head?.headers.values("x-b") == ["2", "3"])
}

@Test func bodyOfGivenLengthIsRead() {
  let parsed = Parsed("POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET", pieces: 3)
  #expect(parsed.requests.first?.text == "hello")
  #expect(parsed.requests.first?.isComplete == true)
}

@Test func chunksAreJoined() {
  let parsed = Parsed(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n")
  #expect(parsed.requests.first?.text == "abcde")
  #expect(parsed.requests.first?.isComplete == true)
}

@Test func pipelinedRequestsComeOutInOrder() {
  let text = (1...20).map { "POST /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\($0 + 10)" }.joined()
  for pieces in [.max, 1, 17] {
    let parsed = Parsed(text, pieces: pieces)
    #expect(parsed.requests.map(\.head.path) == (1...20).map { "/\($0)" })
    #expect(parsed.requests.map(\.text) == (11...30).map { "\($0)" })
  }
}

@Test(arguments: [
  ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
  ("HTTP/1.1", "Connection: x, Close ,y\r\n", false), ("HTTP/1.0", "", false),
  ("HTTP/1.0", "Connection: Keep-Alive\r\n", true), ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
  ("HTTP/1.1", "Connection: closed\r\n", true), ("HTTP/1.1", "Connection: ,\r\n", true),
])
func connectionStaysOpenAsTheVersionAndTheClientSay(version: String, field: String, keepAlive: Bool) {
  #expect(head("GET / \(version)\r\nHost: a\r\n\(field)\r\n")?.keepAlive == keepAlive)
}

@Test(arguments: [
  ("/", []), ("/a", ["a"]), ("/a/b", ["a", "b"]), ("/a/", ["a", ""]), ("//a", ["", "a"]),
  ("/a%2Fb/c", ["a/b", "c"]), ("/%41%20b", ["A b"]), ("/a+b", ["a+b"]), ("/%E2%82%AC", ["€"]),
  ("/...", ["..."]), ("/.a/b..", [".a", "b.."]), ("/a%3Fb?c", ["a?b"]), ("/a;b=c", ["a;b=c"]),
  ("http://h/x/y?z", ["x", "y"]), ("HTTPS://h:1/x", ["x"]), ("http://h", []), ("http://h?q", []),
])
func pathIsSplitBeforeItIsDecoded(target: String, segments: [String]) {
  #expect(get(target)?.pathSegments == segments)
}

@Test func queryKeepsRepeatedNamesAndReadsPlusAsSpace() {
  let query = get("/p?a=1&b=x+y&a=%2B&c&=d&&e=f=g")?.query ?? []
  #expect(query.map(\.name) == ["a", "b", "a", "c", "", "e"])
  #expect(query.map(\.value) == ["1", "x y", "+", "", "d", "f=g"])
  #expect(get("/p?a=1&a=2")?.queryValue("a") == "1")
  #expect(get("/p?")?.query.isEmpty == true)
  #expect(get("/p")?.queryValue("a") == nil)
}

@Test func browsersUnescapedCharactersAreTakenInAQuery() {
  #expect(get("/p?filter[a]=b|c")?.queryValue("filter[a]") == "b|c")
}

@Test func asteriskBelongsToOptions() {
  #expect(get("*", method: "OPTIONS")?.requestTarget.isAsterisk == true)
  #expect(get("http://h", method: "OPTIONS")?.requestTarget.isAsterisk == true)
}

@Test func expectationsAreTold() {
  #expect(get("/", fields: "Expect: 100-Continue\r\n")?.expectsContinue == true)
  #expect(get("/", fields: "Expect: tea\r\n")?.hasUnknownExpectation == true)
  #expect(head("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")?.expectsContinue == false)
}
