/// The request target: the path and query of origin-form or absolute-form, or `*` (RFC 9112, section 3.2).
///
/// Checked once when it is parsed: every escape is valid, none is `%00`, the decoded segments are UTF-8 and none is a
/// dot segment (`.` or `..`, plain or escaped). The path is split into segments before it is decoded, so that an escaped
/// slash stays inside its segment.
package struct RequestTarget: Sendable {
  /// The target as it was sent, inside `bytes`.
  let bytes: [UInt8]
  let whole: Range<Int>
  /// The path with its leading slash; empty for `*`.
  let pathRange: Range<Int>
  /// The query without the question mark.
  let queryRange: Range<Int>?

  /// Whether the target is `*`, which only OPTIONS may have.
  package var isAsterisk: Bool { pathRange.isEmpty }

  /// The target as it was sent.
  package var text: String { String(decoding: bytes[whole], as: UTF8.self) }

  /// The decoded path. An escaped slash cannot be told from a plain one here: use `segments` to take it apart.
  package var path: String { isAsterisk ? "*" : PercentCoding.decode(bytes[pathRange], plusIsSpace: false) }

  /// The decoded segments: `/tasks/1` gives `["tasks", "1"]`, `/` gives `[]`, `/tasks/` gives `["tasks", ""]`.
  package var segments: [String] {
    segmentRanges.map { PercentCoding.decode(bytes[$0], plusIsSpace: false) }
  }

  /// The parameters of the query in order, repeated names kept, `+` as a space. A name without `=` has an empty value.
  package var query: [(name: String, value: String)] {
    guard let queryRange else { return [] }
    return bytes[queryRange].split(separator: UInt8(ascii: "&")).map { item in
      let equals = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
      return (
        name: PercentCoding.decode(item[..<equals], plusIsSpace: true),
        value: PercentCoding.decode(item[equals...].dropFirst(), plusIsSpace: true)
      )
    }
  }

  /// Where the segments lie, before decoding.
  var segmentRanges: [Range<Int>] {
    guard pathRange.count > 1 else { return [] }
    var ranges: [Range<Int>] = []
    var start = pathRange.lowerBound + 1
    for index in start..<pathRange.upperBound where bytes[index] == UInt8(ascii: "/") {
      ranges.append(start..<index)
      start = index + 1
    }
    ranges.append(start..<pathRange.upperBound)
    return ranges
  }
}

extension RequestTarget {
  /// Parses the target that lies at `whole` in `bytes`.
  /// - Throws: `badTarget` for anything but origin-form, absolute-form of http(s), or `*` with OPTIONS.
  init(bytes: [UInt8], whole: Range<Int>, method: HTTPMethod) throws(HTTPParseError) {
    guard !whole.isEmpty, bytes[whole].allSatisfy(ByteClass.isTarget) else { throw .badTarget }
    self.bytes = bytes
    self.whole = whole
    if bytes[whole.lowerBound] == UInt8(ascii: "*") {
      guard whole.count == 1, method == .options else { throw .badTarget }
      pathRange = whole.upperBound..<whole.upperBound
      queryRange = nil
      return
    }
    let start = try Self.pathStart(bytes, whole)
    let question = bytes[start..<whole.upperBound].firstIndex(of: UInt8(ascii: "?"))
    let pathEnd = question ?? whole.upperBound
    queryRange = question.map { $0 + 1..<whole.upperBound }
    if start == pathEnd {
      // Absolute-form without a path: the root, or the server itself for OPTIONS. The slash after the scheme stands for it.
      guard let slash = bytes[whole].firstIndex(of: UInt8(ascii: "/")) else { throw .badTarget }
      pathRange = method == .options && question == nil ? start..<start : slash..<slash + 1
      if let queryRange, !PercentCoding.isValid(bytes[queryRange]) { throw .badTarget }
      return
    }
    pathRange = start..<pathEnd
    try check()
  }

  /// Index of the slash that begins the path: at the start in origin-form, after the authority in absolute-form.
  private static func pathStart(_ bytes: [UInt8], _ whole: Range<Int>) throws(HTTPParseError) -> Int {
    if bytes[whole.lowerBound] == UInt8(ascii: "/") { return whole.lowerBound }
    for scheme in ["http://", "https://"] {
      let utf8 = scheme.utf8
      guard whole.count > utf8.count,
        zip(utf8, bytes[whole]).allSatisfy({ $0 == ByteClass.lowercased($1) })
      else { continue }
      let authority = whole.lowerBound + utf8.count
      let end =
        bytes[authority..<whole.upperBound].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        ?? whole.upperBound
      guard end > authority, HostValue.isValid(bytes[authority..<end]) else { throw .badTarget }
      return end
    }
    throw .badTarget
  }

  private func check() throws(HTTPParseError) {
    if let queryRange, !PercentCoding.isValid(bytes[queryRange]) { throw .badTarget }
    // Neither escapes nor dots: nothing more to look at.
    guard bytes[pathRange].contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ".") }) else { return }
    for range in segmentRanges {
      guard PercentCoding.isValid(bytes[range]) else { throw .badTarget }
      let decoded = PercentCoding.decode(bytes[range], plusIsSpace: false)
      if decoded == "." || decoded == ".." { throw .badTarget }
    }
  }
}

/// The value of a Host field or the authority of an absolute-form target.
enum HostValue {
  /// `host [":" port]`, where the host is a name, an IPv4 address or a bracketed IPv6 address. Empty is valid for Host.
  static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.first == UInt8(ascii: "[") else {
      guard bytes.allSatisfy(ByteClass.isHost) else { return false }
      guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return true }
      return bytes[colon...].dropFirst().allSatisfy(ByteClass.isDigit)
    }
    guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
    let inside = bytes[..<close].dropFirst()
    guard !inside.isEmpty, inside.allSatisfy({ ByteClass.isHost($0) }) else { return false }
    let rest = bytes[close...].dropFirst()
    return rest.isEmpty || (rest.first == UInt8(ascii: ":") && rest.dropFirst().allSatisfy(ByteClass.isDigit))
  }
}
