import HTTP
import Testing

@Test func headersAreComparedWithoutCase() {
  let headers: HTTPHeaders = ["Content-Type": "text/plain", "X-Tag": "a", "x-tag": "b"]
  #expect(headers["content-type"] == "text/plain")
  #expect(headers.values("X-TAG") == ["a", "b"])
  #expect(headers["missing"] == nil)
}
