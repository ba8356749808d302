import HTTP
import Testing

private let host = "Host: a\r\n"

private func get(_ fields: String) -> String { "GET / HTTP/1.1\r\n\(host)\(fields)\r\n" }
private func post(_ fields: String, _ body: String = "") -> String {
  "POST / HTTP/1.1\r\n\(host)\(fields)\r\n\(body)"
}
private func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked\r\n", body) }

private let lines: [RequestCase] = [
  RequestCase("a line feed alone ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
  RequestCase("a line feed alone ends a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
  RequestCase("a line feed alone ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
  RequestCase("a line feed alone comes first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
  RequestCase("a carriage return alone comes first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn),
  RequestCase("a carriage return in the target", "GET /\ra HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
  RequestCase("a carriage return in the version", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .bareCarriageReturn),
  RequestCase("a carriage return in a value", get("X: a\rb\r\n"), .bareCarriageReturn),
  RequestCase("a carriage return in a name", get("X\r: a\r\n"), .bareCarriageReturn),
  RequestCase("two carriage returns end a field", get("X: a\r\r\n"), .bareCarriageReturn),
  RequestCase("two empty lines come first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
]

private let requestLines: [RequestCase] = [
  RequestCase("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("no version (HTTP/0.9)", "GET /\r\n\r\n", .badRequestLine),
  RequestCase("nothing but a method", "GET\r\n\r\n", .badRequestLine),
  RequestCase("two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a space at the beginning", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a tab between the words", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a method in quotes", "\"GET\" / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a TLS handshake", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", .badRequestLine),
  RequestCase("a version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a version with two minor digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a version without its minor digit", "GET / HTTP/1.\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("a version with a letter", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("another protocol", "GET / ICAP/1.0\r\nHost: a\r\n\r\n", .badRequestLine),
  RequestCase("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
  RequestCase("HTTP/0.9 with a version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", .unsupportedVersion),
  RequestCase("HTTP/3.1", "GET / HTTP/3.1\r\nHost: a\r\n\r\n", .unsupportedVersion),
  RequestCase("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
]

private func target(_ name: String, _ target: String, method: String = "GET") -> RequestCase {
  RequestCase(name, "\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget)
}

private let targets: [RequestCase] = [
  target("a path without a slash", "a"),
  target("an asterisk with GET", "*"),
  target("an asterisk with more", "*a", method: "OPTIONS"),
  target("an escape without digits", "/%"),
  target("an escape with one digit", "/%a"),
  target("an escape that is not hexadecimal", "/%zz"),
  target("an escaped NUL", "/a%00"),
  target("an escaped NUL in the query", "/?a=%00"),
  target("a bad escape in the query", "/?a=%g1"),
  target("an escape that is not UTF-8", "/%ff"),
  target("an overlong slash in UTF-8", "/%c0%af"),
  target("a dot segment", "/a/./b"),
  target("a parent segment", "/a/../b"),
  target("a parent segment at the end", "/.."),
  target("an escaped parent segment", "/%2e%2E/etc/passwd"),
  target("a half escaped parent segment", "/.%2e/x"),
  target("a fragment", "/a#b"),
  target("a quote", "/\"a"),
  target("a backslash", "/a\\b"),
  target("a byte that is not ASCII", "/é"),
  target("an NUL", "/\0"),
  target("a DEL", "/\u{7f}"),
  target("another scheme", "ftp://a/"),
  target("absolute-form without an authority", "http:///x"),
  target("absolute-form with a user", "http://user@a/"),
  target("authority-form", "a:80", method: "CONNECT"),
]

private let fields: [RequestCase] = [
  RequestCase("a space before the colon", get("X : a\r\n"), .badFieldName),
  RequestCase("a tab before the colon", get("X\t: a\r\n"), .badFieldName),
  RequestCase("an empty name", get(": a\r\n"), .badFieldName),
  RequestCase("no colon", get("X\r\n"), .badFieldName),
  RequestCase("a folded line", get("X: a\r\n b\r\n"), .badFieldName),
  RequestCase("a folded line with a tab", get("X: a\r\n\tb\r\n"), .badFieldName),
  RequestCase("a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .badFieldName),
  RequestCase("a name with a space", get("X Y: a\r\n"), .badFieldName),
  RequestCase("a name in brackets", get("(X): a\r\n"), .badFieldName),
  RequestCase("a name that is not ASCII", get("Ü: a\r\n"), .badFieldName),
  RequestCase("an NUL in a name", get("X\0: a\r\n"), .badFieldName),
  RequestCase("an NUL in a value", get("X: a\0b\r\n"), .badFieldValue),
  RequestCase("a bell in a value", get("X: \u{7}\r\n"), .badFieldValue),
  RequestCase("a DEL in a value", get("X: \u{7f}\r\n"), .badFieldValue),
  RequestCase("no Host", "GET / HTTP/1.1\r\n\r\n", .badHost),
  RequestCase("two equal Hosts", get(host), .badHost),
  RequestCase("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n\(host)\(host)\r\n", .badHost),
  RequestCase("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
  RequestCase("a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .badHost),
  RequestCase("a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
  RequestCase("a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .badHost),
  RequestCase("a Host with a bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .badHost),
  RequestCase("a Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .badHost),
]

private let framing: [RequestCase] = [
  RequestCase("two different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), .badContentLength),
  RequestCase("two equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), .badContentLength),
  RequestCase("a list of lengths", post("Content-Length: 3, 3\r\n", "abc"), .badContentLength),
  RequestCase("a length with a plus", post("Content-Length: +3\r\n", "abc"), .badContentLength),
  RequestCase("a negative length", post("Content-Length: -3\r\n", "abc"), .badContentLength),
  RequestCase("a length with a space inside", post("Content-Length: 1 3\r\n", "abc"), .badContentLength),
  RequestCase("a hexadecimal length", post("Content-Length: 0x3\r\n", "abc"), .badContentLength),
  RequestCase("a length with a fraction", post("Content-Length: 3.0\r\n", "abc"), .badContentLength),
  RequestCase("an empty length", post("Content-Length:\r\n"), .badContentLength),
  RequestCase("a length of 2^63", post("Content-Length: 9223372036854775808\r\n"), .badContentLength),
  RequestCase("a length of 2^64 + 3", post("Content-Length: 18446744073709551619\r\n", "abc"), .badContentLength),
  RequestCase(
    "a length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    .badTransferEncoding),
  RequestCase(
    "chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"),
    .badTransferEncoding),
  RequestCase("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n"), .badTransferEncoding),
  RequestCase(
    "chunked in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    .badTransferEncoding),
  RequestCase("chunked first, another last", post("Transfer-Encoding: chunked, gzip\r\n"), .badTransferEncoding),
  RequestCase("another coding alone", post("Transfer-Encoding: gzip\r\n"), .badTransferEncoding),
  RequestCase("identity", post("Transfer-Encoding: identity\r\n"), .badTransferEncoding),
  RequestCase("an empty transfer coding", post("Transfer-Encoding:\r\n"), .badTransferEncoding),
  RequestCase("an empty item before chunked", post("Transfer-Encoding: , chunked\r\n"), .badTransferEncoding),
  RequestCase("an empty item after chunked", post("Transfer-Encoding: chunked,\r\n"), .badTransferEncoding),
  RequestCase("an empty item of space", post("Transfer-Encoding: chunked, \t\r\n"), .badTransferEncoding),
  RequestCase(
    "an empty field before chunked", post("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"),
    .badTransferEncoding),
  RequestCase(
    "an empty field after chunked", post("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n"),
    .badTransferEncoding),
  RequestCase("a coding that only looks like chunked", post("Transfer-Encoding: xchunked\r\n"), .badTransferEncoding),
  RequestCase("chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n"), .badTransferEncoding),
  RequestCase("chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), .badTransferEncoding),
  RequestCase(
    "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .badTransferEncoding),
  RequestCase(
    "an unknown coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n"), .unsupportedTransferEncoding),
  RequestCase(
    "an unknown coding in its own field",
    post("Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n"), .unsupportedTransferEncoding),
]

private let chunks: [RequestCase] = [
  RequestCase("a size without digits", chunked("\r\nabc\r\n"), .badChunk),
  RequestCase("a size that is not hexadecimal", chunked("g\r\n"), .badChunk),
  RequestCase("a size with a prefix", chunked("0x3\r\nabc\r\n"), .badChunk),
  RequestCase("a negative size", chunked("-1\r\n"), .badChunk),
  RequestCase("a size with a plus", chunked("+3\r\nabc\r\n"), .badChunk),
  RequestCase("a space before the size", chunked(" 3\r\nabc\r\n"), .badChunk),
  RequestCase("a space after the size", chunked("3 \r\nabc\r\n"), .badChunk),
  RequestCase("a size of 2^64", chunked("10000000000000000\r\n"), .badChunk),
  RequestCase("a size of 2^64 - 1", chunked("ffffffffffffffff\r\n"), .badChunk),
  RequestCase("a size of 2^63 - 1", chunked("7fffffffffffffff\r\n"), .bodyTooLarge(limit: 1 << 30)),
  RequestCase("sizes whose sum overflows", chunked("1\r\na\r\n7fffffffffffffff\r\n"), .bodyTooLarge(limit: 1 << 30)),
  RequestCase("a line feed alone after the size", chunked("3\nabc\r\n"), .badChunk),
  RequestCase("a line feed alone after the data", chunked("3\r\nabc\n0\r\n\r\n"), .badChunk),
  RequestCase("no CRLF after the data", chunked("3\r\nabcd\r\n"), .badChunk),
  RequestCase("a carriage return alone after the data", chunked("3\r\nabc\r0\r\n\r\n"), .badChunk),
  RequestCase("a control character in an extension", chunked("3;a=\u{1}\r\nabc\r\n"), .badChunk),
  RequestCase("a carriage return in an extension", chunked("3;a\rb\r\nabc\r\n"), .badChunk),
  RequestCase(
    "a size line without an end", chunked(String(repeating: "0", count: 300)), .chunkLineTooLong(limit: 256)),
  RequestCase(
    "an extension over its limit", chunked("3;" + String(repeating: "a", count: 300) + "\r\n"),
    .chunkLineTooLong(limit: 256)),
  RequestCase(
    "many extensions over their limit together",
    chunked(String(repeating: "1;" + String(repeating: "a", count: 200) + "\r\nx\r\n", count: 90)),
    .chunkExtensionsTooLong(limit: 16 * 1024)),
  RequestCase("a folded trailer", chunked("0\r\nX: a\r\n b\r\n\r\n"), .badFieldName),
  RequestCase("a line feed alone in the trailer", chunked("0\r\nX: a\n\r\n"), .bareLineFeed),
  RequestCase("a control character in the trailer", chunked("0\r\nX: \u{1}\r\n\r\n"), .badFieldValue),
]

@Test(arguments: lines + requestLines + targets + fields + framing + chunks)
func requestIsRefused(_ request: RequestCase) {
  let parsed = Parsed(request.bytes)
  #expect(parsed.error == request.error)
  #expect(!parsed.requests.contains { $0.isComplete })
}

@Test(arguments: lines + requestLines + targets + fields + framing + chunks)
func refusalDoesNotDependOnHowTheBytesAreSplit(_ request: RequestCase) {
  for pieces in [1, 2, 3, 7] {
    #expect(Parsed(request.bytes, pieces: pieces).error == request.error, "in pieces of \(pieces)")
  }
}
