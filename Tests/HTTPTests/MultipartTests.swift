import HTTP
import Testing

private func parse(
  _ body: String, type: String = "multipart/form-data; boundary=b", _ change: (inout MultipartLimits) -> Void = { _ in }
) -> Result<[MultipartPart], MultipartError> {
  var limits = MultipartLimits()
  change(&limits)
  do throws(MultipartError) {
    return .success(try MultipartParser.parse(Array(body.utf8), contentType: type, limits: limits))
  } catch {
    return .failure(error)
  }
}

private func part(_ disposition: String, _ content: String = "x") -> String {
  "--b\r\nContent-Disposition: form-data; \(disposition)\r\n\r\n\(content)\r\n"
}

private func content(_ body: String, _ part: MultipartPart) -> String {
  String(decoding: Array(body.utf8)[part.body], as: UTF8.self)
}

@Test func partsAreRangesOfTheBody() throws {
  let body =
    "preamble\r\n--b \t\r\nContent-Disposition: form-data; name=\"apple\"; filename=\"1.jpg\"\r\n"
    + "Content-Type: image/jpeg\r\n\r\nab\r\n--bx\r\ncd\r\n" + part("name=pear", "") + "--b--\r\nepilogue"
  let parts = try parse(body).get()
  #expect(parts.map(\.name) == ["apple", "pear"])
  #expect(parts.map(\.filename) == ["1.jpg", nil])
  #expect(parts.map(\.contentType) == ["image/jpeg", nil])
  #expect(parts.map { content(body, $0) } == ["ab\r\n--bx\r\ncd", ""])
}

@Test func lineThatOnlyBeginsLikeTheCloseDelimiterIsContent() throws {
  let body = part("name=a", "1\r\n--b--x\r\n--b--\t!") + part("name=b", "2") + "--b-- \t\r\nepilogue"
  let parts = try parse(body).get()
  #expect(parts.map { content(body, $0) } == ["1\r\n--b--x\r\n--b--\t!", "2"])
  #expect(try parse(part("name=a") + "--b-- \t").get().count == 1)
  #expect(parse(part("name=a") + "--b--x") == .failure(.truncated))
}

@Test func parametersAreBounded() throws {
  func disposition(_ count: Int) -> String {
    part("name=a" + (1..<count).map { "; p\($0)=x" }.joined())
  }
  #expect(try parse(disposition(16) + "--b--").get().count == 1)
  #expect(parse(disposition(17) + "--b--") == .failure(.badPartHeader(part: 0)))
}

@Test func bodyWithoutPartsIsEmpty() throws {
  #expect(try parse("--b--").get().isEmpty)
}

@Test func partWithoutContentMayEndWithItsHeader() throws {
  let body = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n--b--"
  #expect(try parse(body).get().first?.body.isEmpty == true)
}

@Test(arguments: [
  ("name=a", "a", nil), ("NAME=\"a b\"", "a b", nil), ("name=\"a\\\"b\\\\c\"", "a\"b\\c", nil),
  ("name=\"a%22b%20\"", "a\"b%20", nil), ("name=\"\"", "", nil), ("name=\"é\"; x=y;", "é", nil),
  ("filename=\"C:\\dir\\a.jpg\"; name=a", "a", "C:\\dir\\a.jpg"), ("name=a; filename=\"a;b=c\"", "a", "a;b=c"),
  ("name=a; filename=\"x\"; filename*=UTF-8''%E2%82%AC.jpg", "a", "€.jpg"),
  ("name=a; filename*=iso-8859-1'en'%A3; filename=x", "a", "£"), ("name=a; filename*=UTF-8''%zz; filename=x", "a", "x"),
  ("name=a; filename*=UTF-8''%ff; filename=x", "a", "x"), ("name=a; filename=\"../../etc\"", "a", "../../etc"),
])
func dispositionIsRead(parameters: String, name: String, filename: String?) throws {
  let parts = try parse(part(parameters) + "--b--").get()
  #expect(parts.first?.name == name)
  #expect(parts.first?.filename == filename)
}

@Test(arguments: ["name=", "name", "name=\"a", "filename=x", "name=a; name=b", "name=a b", "=a", "name=\"a\"x"])
func badDispositionIsRefused(parameters: String) {
  #expect(parse(part(parameters) + "--b--") == .failure(.badPartHeader(part: 0)))
}

@Test(arguments: [
  "--b\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
  "--b\r\nContent-Disposition: form-data; name=a\n\nx\r\n--b--",
  "--b\r\nContent-Disposition form-data\r\n\r\nx\r\n--b--",
  "--b\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n--b--",
  "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
  "--b\r\nX\0: y\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
])
func badPartHeaderIsRefused(body: String) {
  #expect(parse(body) == .failure(.badPartHeader(part: 0)))
}

@Test(arguments: [
  "", "x", "--b", "--b\r\n", "--c--", "--b\r\nContent-Disposition: form-data; name=a", part("name=a"),
  part("name=a") + "--b", part("name=a") + "--b-", "\n--b--", "--b\n",
])
func bodyWithoutItsEndIsTruncated(body: String) {
  #expect(parse(body) == .failure(.truncated))
}

@Test(arguments: [
  ("multipart/form-data", MultipartError.badBoundary), ("multipart/form-data; boundary=", .badBoundary),
  ("multipart/form-data; boundary=\"a \"", .badBoundary), ("multipart/form-data; boundary=\"a\u{1}\"", .badBoundary),
  ("multipart/form-data; boundary=\(String(repeating: "x", count: 71))", .badBoundary),
  ("multipart/form-data; boundary=a; boundary=b", .badBoundary), ("multipart/mixed; boundary=b", .notMultipart),
  ("text/plain", .notMultipart), ("", .notMultipart),
])
func badContentTypeIsRefused(type: String, error: MultipartError) {
  #expect(parse("--b--", type: type) == .failure(error))
}

@Test func boundaryMayBeQuoted() {
  #expect(parse("--a:b--", type: "Multipart/Form-Data; charset=x; BOUNDARY=\"a:b\"") == .success([]))
}

@Test func limitsAreKept() {
  let two = part("name=a") + part("name=b") + "--b--"
  #expect(parse(two) { $0.parts = 1 } == .failure(.tooManyParts(limit: 1)))
  #expect(parse(two) { $0.headerBytes = 20 } == .failure(.partHeaderTooLarge(part: 0, limit: 20)))
  #expect(parse(two) { $0.headerFields = 0 } == .failure(.tooManyPartFields(part: 0, limit: 0)))
}

@Test func almostBoundariesCostNoMoreThanTheirLength() {
  let body = String(repeating: "\r\n--", count: 500_000)
  #expect(parse(part("name=a", body), type: "multipart/form-data; boundary=b") == .failure(.truncated))
}
