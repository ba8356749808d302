import Glibc
import HTTP
import JSONTree
import Testing

private func answer(_ text: String, routes: (inout Router) -> Void) -> (output: String, handled: HTTPRequest?) {
  var connection = TestConnection(routes: routes)
  connection.receive(text)
  return (connection.output(), connection.handled.first)
}

private func routes(_ router: inout Router) {
  router.on(.get, "/") { _, _ in }
  router.on(.get, "/tasks/{id}") { _, _ in }
  router.on(.delete, "/tasks/{id}") { _, _ in }
  router.on(.get, "/tasks/new") { _, _ in }
  router.on(.get, "/tasks/{id}/events/{event}") { _, _ in }
}

@Test func placeholdersMatchOneDecodedSegment() {
  let request = answer("GET /tasks/a%2Fb/events/7 HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).handled
  #expect(request?.parameters == ["id": "a/b", "event": "7"])
}

@Test func literalWinsOverPlaceholder() {
  let request = answer("GET /tasks/new HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).handled
  #expect(request?.parameters.isEmpty == true)
  #expect(answer("GET /tasks/%6eew HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).handled?.parameters.isEmpty == true)
}

@Test(arguments: ["/tasks", "/tasks/", "/tasks/1/", "//", "/tasks%2F1", "/tasks/1/events"])
func pathWithoutARouteIsNotFound(path: String) {
  let output = answer("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).output
  #expect(output.hasPrefix("HTTP/1.1 404 Not Found\r\n") && output.contains("/problems/not-found"))
}

@Test(arguments: [
  ("POST", "/tasks/1", 405, "DELETE, GET, HEAD, OPTIONS"), ("TRACE", "/", 405, "GET, HEAD, OPTIONS"),
  ("OPTIONS", "/tasks/1", 204, "DELETE, GET, HEAD, OPTIONS"), ("OPTIONS", "*", 204, "DELETE, GET, HEAD, OPTIONS"),
])
func methodsOfAPathAreTold(method: String, target: String, status: Int, allow: String) {
  let output = answer("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).output
  #expect(output.hasPrefix("HTTP/1.1 \(status) "))
  #expect(output.contains("Allow: \(allow)\r\n"))
}

@Test func unknownMethodIsNotImplemented() {
  #expect(answer("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", routes: routes).output.hasPrefix("HTTP/1.1 501 "))
}

@Test(arguments: [ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH])
func failureOfOneConnectionDoesNotStopAccepting(errno: Int32) {
  #expect(SystemCallError(call: "accept", errno: errno).concernsOneConnection)
}

@Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EFAULT, ENOSYS])
func otherFailuresOfAcceptingDo(errno: Int32) {
  #expect(!SystemCallError(call: "accept", errno: errno).concernsOneConnection)
}

@Test func problemIsEscapedAndSorted() {
  let problem = Problem(
    type: "/problems/x", title: "A \"quote\"", status: 400, detail: "tab\t, line\n, bell\u{7}, back\\slash, é",
    extensions: ["b": .array([1, .number(0.5), .number(.nan), .null]), "a": .object(["k": true]), "status": 1])
  #expect(
    String(decoding: problem.json(), as: UTF8.self)
      == #"{"type":"/problems/x","title":"A \"quote\"","status":400,"#
      + #""detail":"tab\t, line\n, bell\u0007, back\\slash, é","a":{"k":true},"b":[1,0.5,null,null]}"#)
  #expect(problem.response().headers["Content-Type"] == "application/problem+json")
}

@Test(arguments: [
  ("127.0.0.1:8080", "127.0.0.1", 8080, true), ("[::1]:0", "::1", 0, true), ("localhost:1", "localhost", 1, true),
  ("0.0.0.0:80", "0.0.0.0", 80, false), ("[::]:80", "::", 80, false), ("127.9.9.9:65535", "127.9.9.9", 65535, true),
])
func addressIsParsed(text: String, host: String, port: UInt16, isLoopback: Bool) {
  let address = HTTPAddress(text)
  #expect(address == HTTPAddress(host: host, port: port))
  #expect(address?.isLoopback == isLoopback)
  #expect(address?.description == text)
}

@Test(arguments: [
  "", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "::1:80", "[::1]",
  "[::1:80", "::1]:80", "[127.0.0.1]:80", "[x]:1", "[fe80::1%eth0]:80", "example.org:80", "127.evil.com:80",
  "127.0.0.1.example:1", "1.2.3:4", "a b:1", "127.0.0.1\0x:1",
])
func badAddressIsRefused(text: String) {
  #expect(HTTPAddress(text) == nil)
}
