/// The header of one part.
struct MultipartHeader {
  let name: String
  let filename: String?
  let headers: HTTPHeaders
  /// Where the part's content begins.
  let end: Int

  /// Parses the header that begins at `start`; it ends with an empty line.
  init(_ body: [UInt8], from start: Int, part: Int, limits: MultipartLimits) throws(MultipartError) {
    var fields: [HTTPHeaders.Field] = []
    var line = start
    while true {
      let allowed = min(body.count, start.addingReportingOverflow(limits.headerBytes).partialValue)
      guard line < body.count, let lineFeed = body[line..<max(line, allowed)].firstIndex(of: 0x0a) else {
        throw allowed < body.count ? .partHeaderTooLarge(part: part, limit: limits.headerBytes) : .truncated
      }
      guard lineFeed > line, body[lineFeed - 1] == 0x0d else { throw .badPartHeader(part: part) }
      if lineFeed == line + 1 {
        end = lineFeed + 1
        break
      }
      guard fields.count < limits.headerFields else {
        throw .tooManyPartFields(part: part, limit: limits.headerFields)
      }
      guard let field = Self.field(body, line..<lineFeed - 1, offset: start) else { throw .badPartHeader(part: part) }
      fields.append(field)
      line = lineFeed + 1
    }
    let headers = HTTPHeaders(storage: Array(body[start..<end]), fields: fields)
    self.headers = headers
    let dispositions = fields.filter { headers.matches($0, "Content-Disposition") }
    guard let disposition = dispositions.first, dispositions.count == 1,
      let parsed = MediaTypeParameters(
        headers.storage[Int(disposition.value.lowerBound)..<Int(disposition.value.upperBound)]),
      parsed.value == "form-data", let rawName = parsed["name"],
      let name = String(validating: Self.unescaped(rawName), as: UTF8.self)
    else { throw .badPartHeader(part: part) }
    self.name = name
    filename =
      parsed["filename*"].flatMap(Self.extendedValue)
      ?? parsed["filename"].map { String(decoding: Self.unescaped($0), as: UTF8.self) }
  }

  func part(body: Range<Int>) -> MultipartPart {
    MultipartPart(name: name, filename: filename, contentType: headers["Content-Type"], headers: headers, body: body)
  }

  private static func field(_ body: [UInt8], _ line: Range<Int>, offset: Int) -> HTTPHeaders.Field? {
    guard let colon = body[line].firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound,
      body[line.lowerBound..<colon].allSatisfy(ByteClass.isToken)
    else { return nil }
    var start = colon + 1
    var end = line.upperBound
    while start < end, body[start] == 0x20 || body[start] == 0x09 { start += 1 }
    while end > start, body[end - 1] == 0x20 || body[end - 1] == 0x09 { end -= 1 }
    guard body[start..<end].allSatisfy(ByteClass.isFieldValue) else { return nil }
    func offsets(_ from: Int, _ to: Int) -> Range<UInt32> {
      UInt32(truncatingIfNeeded: from - offset)..<UInt32(truncatingIfNeeded: to - offset)
    }
    return HTTPHeaders.Field(name: offsets(line.lowerBound, colon), value: offsets(start, end))
  }

  /// Browsers write a quote in a name as `%22` (WHATWG HTML, multipart/form-data encoding).
  private static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index...].starts(with: "%22".utf8) {
        result.append(UInt8(ascii: "\""))
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }

  /// `charset'language'percent-encoded` (RFC 8187); nil if it is malformed or of another charset than the two in use.
  private static func extendedValue(_ bytes: [UInt8]) -> String? {
    let pieces = bytes.split(separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
    guard pieces.count == 3, let decoded = PercentCoding.decodedBytes(pieces[2], plusIsSpace: false) else { return nil }
    switch String(decoding: pieces[0].map(ByteClass.lowercased), as: UTF8.self) {
    case "utf-8": return String(validating: decoded, as: UTF8.self)
    case "iso-8859-1": return String(String.UnicodeScalarView(decoded.map { Unicode.Scalar($0) }))
    default: return nil
    }
  }
}
