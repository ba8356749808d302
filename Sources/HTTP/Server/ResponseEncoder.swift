/// How the end of a response body is told to the client.
enum ResponseFraming: Equatable {
  case length(Int)
  case chunked
  /// HTTP/1.0 streams: the connection's end.
  case untilClose
  /// No body and no length: 204, 304.
  case none
}

/// Writes responses as bytes (RFC 9112).
enum ResponseEncoder {
  static let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  /// Appends status line and fields.
  /// - Parameter connection: the value of Connection, or nil to leave it out.
  static func appendHead(
    _ response: HTTPResponse, framing: ResponseFraming, connection: StaticString?, date: [UInt8],
    to output: inout [UInt8]
  ) {
    append("HTTP/1.1 ", to: &output)
    let status = min(max(response.status, 200), 999)
    appendDecimal(status, to: &output)
    output.append(0x20)
    append(ReasonPhrase.of(status), to: &output)
    append("\r\nServer: clserver\r\nDate: ", to: &output)
    output.append(contentsOf: date)
    switch framing {
    case .length(let length):
      append("\r\nContent-Length: ", to: &output)
      appendDecimal(length, to: &output)
    case .chunked: append("\r\nTransfer-Encoding: chunked", to: &output)
    case .untilClose, .none: break
    }
    if let connection {
      append("\r\nConnection: ", to: &output)
      append(connection, to: &output)
    }
    let headers = response.headers
    for field in headers.fields where !isOwn(field, headers) {
      append("\r\n", to: &output)
      output.append(contentsOf: headers.storage[Int(field.name.lowerBound)..<Int(field.name.upperBound)])
      append(": ", to: &output)
      output.append(contentsOf: headers.storage[Int(field.value.lowerBound)..<Int(field.value.upperBound)])
    }
    append("\r\n\r\n", to: &output)
  }

  /// Appends the size line of a chunk; the data and CRLF follow.
  static func appendChunkSize(_ count: Int, to output: inout [UInt8]) {
    output.append(contentsOf: String(count, radix: 16).utf8)
    append("\r\n", to: &output)
  }

  static func append(_ text: StaticString, to output: inout [UInt8]) {
    text.withUTF8Buffer { output.append(contentsOf: $0) }
  }

  /// Whether the server writes the field itself.
  private static func isOwn(_ field: HTTPHeaders.Field, _ headers: HTTPHeaders) -> Bool {
    switch field.name.count {
    case 0: true
    case 4: headers.matches(field, "Date")
    case 6: headers.matches(field, "Server")
    case 10: headers.matches(field, "Connection")
    case 14: headers.matches(field, "Content-Length")
    case 17: headers.matches(field, "Transfer-Encoding")
    default: false
    }
  }

  private static func appendDecimal(_ value: Int, to output: inout [UInt8]) {
    if value >= 10 { appendDecimal(value / 10, to: &output) }
    output.append(UInt8(truncatingIfNeeded: value % 10) + 0x30)
  }
}
