import Glibc

/// Parses multipart/form-data (RFC 7578 over RFC 2046) that is in memory whole.
///
/// Strict about framing: lines end with CRLF, the closing delimiter has to be there. Lenient about what clients write
/// differently: parameter quoting, `filename*`, a preamble and an epilogue.
package enum MultipartParser {
  /// The parts in order, their bodies as ranges into `body`.
  /// - Parameter contentType: the request's Content-Type, with its boundary.
  /// - Complexity: O(body), no copy of a part.
  package static func parse(
    _ body: [UInt8], contentType: String, limits: MultipartLimits = MultipartLimits()
  ) throws(MultipartError) -> [MultipartPart] {
    var scanner = MultipartScanner(body: body, boundary: try boundary(of: contentType))
    var parts: [MultipartPart] = []
    guard var delimiter = scanner.nextDelimiter() else { throw .truncated }
    while !delimiter.isClosing {
      let number = parts.count
      guard number < limits.parts else { throw .tooManyParts(limit: limits.parts) }
      let header = try MultipartHeader(body, from: delimiter.end, part: number, limits: limits)
      scanner.position = header.end
      guard let next = scanner.nextDelimiter() else { throw .truncated }
      parts.append(header.part(body: header.end..<max(header.end, next.start)))
      delimiter = next
    }
    return parts
  }

  /// The boundary in a multipart/form-data content type.
  static func boundary(of contentType: String) throws(MultipartError) -> [UInt8] {
    let bytes = Array(contentType.utf8)
    guard let type = MediaTypeParameters(bytes[...]) else { throw .badBoundary }
    guard type.value == "multipart/form-data" else { throw .notMultipart }
    guard let boundary = type["boundary"], (1...70).contains(boundary.count), boundary.last != 0x20,
      boundary.allSatisfy(isBoundaryByte)
    else { throw .badBoundary }
    return boundary
  }

  /// bchars of RFC 2046, section 5.1.1.
  private static func isBoundaryByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: "'()+_,-./:=? ".utf8.contains(byte)
    }
  }
}

/// Finds delimiter lines.
struct MultipartScanner {
  struct Delimiter {
    /// Where the delimiter begins, its leading CRLF included: the end of the part before it.
    let start: Int
    /// Where what follows the delimiter line begins.
    let end: Int
    let isClosing: Bool
  }

  let body: [UInt8]
  /// Two hyphens and the boundary.
  let marker: [UInt8]
  var position = 0

  init(body: [UInt8], boundary: [UInt8]) {
    self.body = body
    marker = [0x2d, 0x2d] + boundary
  }

  /// The next delimiter line from `position` on, or nil. A line that only begins like one is content.
  mutating func nextDelimiter() -> Delimiter? {
    // At the start of the body, or in a part without content, whose delimiter's CRLF is the one that ends its header.
    if let found = delimiter(at: position, start: position) { return found }
    while let carriageReturn = nextCarriageReturn() {
      position = carriageReturn + 1
      if carriageReturn + 1 < body.count, body[carriageReturn + 1] == 0x0a,
        let found = delimiter(at: carriageReturn + 2, start: carriageReturn)
      {
        return found
      }
    }
    return nil
  }

  private func nextCarriageReturn() -> Int? {
    guard position < body.count else { return nil }
    return body.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let hit = memchr(base + position, 0x0d, bytes.count - position) else {
        return nil
      }
      return UnsafeRawPointer(hit) - base
    }
  }

  /// The delimiter whose hyphens stand at `index`.
  private func delimiter(at index: Int, start: Int) -> Delimiter? {
    guard body.count - index >= marker.count else { return nil }
    for offset in marker.indices where body[index + offset] != marker[offset] { return nil }
    var end = index + marker.count
    let closes = body.count - end >= 2 && body[end] == 0x2d && body[end + 1] == 0x2d
    if closes { end += 2 }
    while end < body.count, body[end] == 0x20 || body[end] == 0x09 { end += 1 }
    // The close delimiter may be the last of the body.
    if closes, end == body.count { return Delimiter(start: start, end: end, isClosing: true) }
    guard body.count - end >= 2, body[end] == 0x0d, body[end + 1] == 0x0a else { return nil }
    return Delimiter(start: start, end: end + 2, isClosing: closes)
  }
}
