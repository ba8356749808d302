import CLServer
import HTTP
import JSONTree
import Testing

@Test(
  arguments: [
    ["Host": "localhost"], ["Host": "LOCALHOST:8080"], ["Host": "127.0.0.1"], ["Host": "127.8.9.10:1"],
    ["Host": "[::1]"], ["Host": "[::1]:8080"], ["Host": "[0:0:0:0:0:0:0:1]:80"], [:],
    ["Host": "localhost:8080", "Origin": "http://localhost:8080"], ["Host": "[::1]:1", "Origin": "https://[::1]:1"],
    ["Host": "127.0.0.1:80", "Origin": "http://127.0.0.1:80"],
  ] as [HTTPHeaders])
func requestOfThisMachineIsTaken(headers: HTTPHeaders) {
  #expect(LoopbackGuard.refusal(of: headers) == nil)
}

@Test(
  arguments: [
    (["Host": "evil.example"], "Host"), (["Host": ""], "Host"), (["Host": "localhost.evil.example:8080"], "Host"),
    (["Host": "127.evil.example"], "Host"), (["Host": "127.0.0.1.evil.example"], "Host"), (["Host": "127.1"], "Host"),
    (["Host": "192.168.0.1"], "Host"), (["Host": "0.0.0.0"], "Host"), (["Host": "[::2]"], "Host"),
    (["Host": "[127.0.0.1]"], "Host"), (["Host": "[localhost]"], "Host"), (["Host": "2130706433"], "Host"),
    (["Host": "localhost:8080", "Origin": "http://evil.example"], "Origin"),
    (["Host": "localhost:8080", "Origin": "http://localhost"], "Origin"),
    (["Host": "localhost:8080", "Origin": "http://localhost:3000"], "Origin"),
    (["Host": "localhost:8080", "Origin": "http://127.0.0.1:8080"], "Origin"),
    (["Host": "localhost", "Origin": "null"], "Origin"), (["Host": "localhost", "Origin": ""], "Origin"),
    (["Host": "localhost", "Origin": "localhost"], "Origin"), (["Origin": "http://localhost"], "Origin"),
    (["Host": "localhost", "Origin": "http://localhost", "origin": "http://evil.example"], "Origin"),
  ] as [(HTTPHeaders, String)])
func requestThatAPageMayHaveMadeIsRefused(headers: HTTPHeaders, field: String) throws {
  let problem = try #require(LoopbackGuard.refusal(of: headers))
  #expect(problem.status == 403 && problem.type == "/problems/forbidden-origin")
  #expect(problem.extensions["field"] == .string(field))
  #expect(problem.detail.hasPrefix("\(field): ") && problem.extensions["reason"] != nil)
}
