/// What the lines of a head have said so far. Ranges count from the head's first byte.
struct HeadDraft: Sendable {
  var method = HTTPMethod.get
  var target = 0..<0
  var minorVersion = 1
  var hasRequestLine = false
  var fields: [HTTPHeaders.Field] = []
  var hosts = 0
  var contentLength: Int?
  var transferCodings: [TransferCoding] = []
  var hasTransferEncoding = false
  var closes = false
  var keepsAlive = false
  var expectsContinue = false
  var hasUnknownExpectation = false

  enum TransferCoding: Sendable { case chunked, other }
}

extension HTTPRequestParser {
  mutating func beginRequest(skippedEmptyLine: Bool) throws(HTTPParseError) -> Event {
    guard bufferedCount > 0 else { return .needsMoreBytes }
    let first = buffer[consumed]
    if first == 0x0d {
      guard bufferedCount > 1 else { return .needsMoreBytes }
      guard buffer[consumed + 1] == 0x0a else { throw .bareCarriageReturn }
      if skippedEmptyLine { throw .badRequestLine }
      consumed += 2
      state = .start(skippedEmptyLine: true)
      return try beginRequest(skippedEmptyLine: true)
    }
    if first == 0x0a { throw .bareLineFeed }
    guard ByteClass.isToken(first) else { throw .badRequestLine }
    state = .head
    draft = HeadDraft()
    draft.fields.reserveCapacity(8)
    lineStart = consumed
    scanned = consumed
    return try advanceHead()
  }

  mutating func advanceHead() throws(HTTPParseError) -> Event {
    while true {
      let lineFeed = findLineFeed()
      let length = (lineFeed.map { $0 + 1 } ?? buffer.count) - consumed
      // The lower of the two limits is the one that is hit, whatever the pieces in which the line comes.
      if !draft.hasRequestLine, limits.requestLineBytes <= limits.headerBytes, length > limits.requestLineBytes {
        throw .targetTooLong(limit: limits.requestLineBytes)
      }
      if length > limits.headerBytes { throw .headerTooLarge(limit: limits.headerBytes) }
      guard let lineFeed else { return .needsMoreBytes }
      let line = try lineContent(lineFeed)
      if !draft.hasRequestLine {
        try parseRequestLine(line)
      } else if line.isEmpty {
        lineStart = lineFeed + 1
        return .head(try finishHead())
      } else {
        try parseFieldLine(line)
      }
      lineStart = lineFeed + 1
    }
  }

  /// The line without its CRLF.
  func lineContent(_ lineFeed: Int) throws(HTTPParseError) -> Range<Int> {
    guard lineFeed > lineStart, buffer[lineFeed - 1] == 0x0d else { throw .bareLineFeed }
    return lineStart..<lineFeed - 1
  }

  private mutating func parseRequestLine(_ line: Range<Int>) throws(HTTPParseError) {
    guard let methodEnd = buffer[line].firstIndex(of: 0x20), methodEnd > line.lowerBound,
      let targetEnd = buffer[methodEnd + 1..<line.upperBound].firstIndex(of: 0x20), targetEnd > methodEnd + 1,
      buffer[line.lowerBound..<methodEnd].allSatisfy(ByteClass.isToken)
    else { throw invalid(line, .badRequestLine) }
    let version = targetEnd + 1..<line.upperBound
    // HTTP/D.D
    guard version.count == 8, buffer[version].starts(with: "HTTP/".utf8), buffer[targetEnd + 7] == UInt8(ascii: "."),
      ByteClass.isDigit(buffer[targetEnd + 6]), ByteClass.isDigit(buffer[targetEnd + 8])
    else { throw invalid(line, .badRequestLine) }
    guard buffer[targetEnd + 6] == UInt8(ascii: "1") else { throw .unsupportedVersion }
    // A later minor version is answered as 1.1, the highest this server knows (RFC 9110, section 2.5).
    draft.minorVersion = buffer[targetEnd + 8] == UInt8(ascii: "0") ? 0 : 1
    draft.method = method(line.lowerBound..<methodEnd)
    draft.target = methodEnd + 1 - consumed..<targetEnd - consumed
    draft.hasRequestLine = true
  }

  private func method(_ range: Range<Int>) -> HTTPMethod {
    let bytes = buffer[range]
    if bytes.elementsEqual("GET".utf8) { return .get }
    if bytes.elementsEqual("POST".utf8) { return .post }
    return HTTPMethod(rawValue: String(decoding: bytes, as: UTF8.self))
  }

  private mutating func parseFieldLine(_ line: Range<Int>) throws(HTTPParseError) {
    guard draft.fields.count < limits.headerFields else { throw .tooManyFields(limit: limits.headerFields) }
    let (name, value) = try splitFieldLine(line)
    try interpret(name, value)
    draft.fields.append(HTTPHeaders.Field(name: offsets(name), value: offsets(value)))
  }

  /// Name and trimmed value of a field line, both checked.
  func splitFieldLine(_ line: Range<Int>) throws(HTTPParseError) -> (name: Range<Int>, value: Range<Int>) {
    var index = line.lowerBound
    while index < line.upperBound, ByteClass.isToken(buffer[index]) { index += 1 }
    guard index > line.lowerBound, index < line.upperBound, buffer[index] == UInt8(ascii: ":") else {
      throw invalid(line, .badFieldName)
    }
    let name = line.lowerBound..<index
    var start = index + 1
    var end = line.upperBound
    while start < end, buffer[start] == 0x20 || buffer[start] == 0x09 { start += 1 }
    while end > start, buffer[end - 1] == 0x20 || buffer[end - 1] == 0x09 { end -= 1 }
    for index in start..<end where !ByteClass.isFieldValue(buffer[index]) { throw invalid(line, .badFieldValue) }
    return (name, start..<end)
  }

  /// Notes what the fields that frame the message say.
  private mutating func interpret(_ name: Range<Int>, _ value: Range<Int>) throws(HTTPParseError) {
    switch name.count {
    case 4 where equals(name, "host"):
      guard draft.hosts == 0, HostValue.isValid(buffer[value]) else { throw .badHost }
      draft.hosts += 1
    case 6 where equals(name, "expect"):
      if equals(value, "100-continue") { draft.expectsContinue = true } else { draft.hasUnknownExpectation = true }
    case 10 where equals(name, "connection"):
      for option in listItems(value) {
        if equals(option, "close") { draft.closes = true }
        if equals(option, "keep-alive") { draft.keepsAlive = true }
      }
    case 14 where equals(name, "content-length"):
      guard draft.contentLength == nil, let length = decimal(value) else { throw .badContentLength }
      draft.contentLength = length
    case 17 where equals(name, "transfer-encoding"):
      let items = listItems(value)
      // Some recipients skip an empty item, others take it for an unknown coding.
      guard items.allSatisfy({ !$0.isEmpty }) else { throw .badTransferEncoding }
      draft.hasTransferEncoding = true
      draft.transferCodings += items.map { equals($0, "chunked") ? .chunked : .other }
    default: break
    }
  }

  private mutating func finishHead() throws(HTTPParseError) -> HTTPRequestHead {
    if draft.hosts == 0, draft.minorVersion == 1 { throw .badHost }
    let framing = try framing()
    let storage = Array(buffer[consumed..<lineStart])
    let target = try RequestTarget(bytes: storage, whole: draft.target, method: draft.method)
    let head = HTTPRequestHead(
      method: draft.method, requestTarget: target, minorVersion: draft.minorVersion,
      headers: HTTPHeaders(storage: storage, fields: draft.fields), framing: framing,
      keepAlive: !draft.closes && (draft.minorVersion == 1 || draft.keepsAlive),
      expectsContinue: draft.expectsContinue && draft.minorVersion == 1,
      hasUnknownExpectation: draft.hasUnknownExpectation)
    draft.fields = []
    consumed = lineStart
    bodyReceived = 0
    trailerFields = 0
    trailerLength = 0
    extensionLength = 0
    switch framing {
    case .none, .length(0): state = .end
    case .length(let length): state = .fixedBody(remaining: length)
    case .chunked: state = .chunkSize
    }
    return head
  }

  private func framing() throws(HTTPParseError) -> BodyFraming {
    guard draft.hasTransferEncoding else { return draft.contentLength.map { .length($0) } ?? .none }
    guard draft.contentLength == nil, draft.minorVersion == 1, draft.transferCodings.last == .chunked,
      draft.transferCodings.count(where: { $0 == .chunked }) == 1
    else { throw .badTransferEncoding }
    guard draft.transferCodings.count == 1 else { throw .unsupportedTransferEncoding }
    return .chunked
  }

  /// A carriage return inside a line explains the failure better than what it broke.
  private func invalid(_ line: Range<Int>, _ error: HTTPParseError) -> HTTPParseError {
    buffer[line].contains(0x0d) ? .bareCarriageReturn : error
  }

  private func offsets(_ range: Range<Int>) -> Range<UInt32> {
    UInt32(truncatingIfNeeded: range.lowerBound - consumed)..<UInt32(truncatingIfNeeded: range.upperBound - consumed)
  }

  private func equals(_ range: Range<Int>, _ lowercase: StaticString) -> Bool {
    guard range.count == lowercase.utf8CodeUnitCount else { return false }
    return lowercase.withUTF8Buffer { text in
      for (index, byte) in text.enumerated() where ByteClass.lowercased(buffer[range.lowerBound + index]) != byte {
        return false
      }
      return true
    }
  }

  /// The items of a comma-separated list, trimmed, with empty ones.
  private func listItems(_ value: Range<Int>) -> [Range<Int>] {
    buffer[value].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { item in
      var start = item.startIndex
      var end = item.endIndex
      while start < end, buffer[start] == 0x20 || buffer[start] == 0x09 { start += 1 }
      while end > start, buffer[end - 1] == 0x20 || buffer[end - 1] == 0x09 { end -= 1 }
      return start..<end
    }
  }

  /// One or more digits that fit an Int; nil for anything else.
  private func decimal(_ range: Range<Int>) -> Int? {
    guard !range.isEmpty else { return nil }
    var value = 0
    for byte in buffer[range] {
      guard ByteClass.isDigit(byte) else { return nil }
      let (scaled, tooLong) = value.multipliedReportingOverflow(by: 10)
      let (sum, beyond) = scaled.addingReportingOverflow(Int(byte) - 0x30)
      if tooLong || beyond { return nil }
      value = sum
    }
    return value
  }
}
