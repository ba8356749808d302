/// The parameters of a Content-Type or Content-Disposition value: `form-data; name="a"; filename="b"`.
struct MediaTypeParameters {
  /// More are malformed: each name is compared with those before it.
  private static let maximumCount = 16

  /// What stands before the first semicolon, lowercased.
  let value: String
  /// Names lowercased, values unquoted, in order.
  let parameters: [(name: String, value: [UInt8])]

  /// The first parameter of that name.
  subscript(name: String) -> [UInt8]? { parameters.first { $0.name == name }?.value }

  /// Nil if a parameter has no `=`, a bad name, an open quote, or comes twice, or if there are too many.
  init?(_ bytes: ArraySlice<UInt8>) {
    var scanner = Scanner(bytes: bytes)
    let end = bytes.firstIndex(of: UInt8(ascii: ";")) ?? bytes.endIndex
    value = String(decoding: Self.trimmed(bytes[..<end]).map(ByteClass.lowercased), as: UTF8.self)
    scanner.index = end
    var found: [(name: String, value: [UInt8])] = []
    while scanner.take(UInt8(ascii: ";")) {
      scanner.skipSpace()
      if scanner.isAtEnd || scanner.peek == UInt8(ascii: ";") { continue }
      let name = scanner.takeToken()
      guard !name.isEmpty, scanner.take(UInt8(ascii: "=")), let value = scanner.takeValue() else { return nil }
      let key = String(decoding: name.map(ByteClass.lowercased), as: UTF8.self)
      guard found.count < Self.maximumCount, !found.contains(where: { $0.name == key }) else { return nil }
      found.append((name: key, value: value))
      scanner.skipSpace()
    }
    guard scanner.isAtEnd else { return nil }
    parameters = found
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes.drop { $0 == 0x20 || $0 == 0x09 }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    return bytes
  }

  private struct Scanner {
    let bytes: ArraySlice<UInt8>
    var index: Int

    init(bytes: ArraySlice<UInt8>) {
      self.bytes = bytes
      index = bytes.startIndex
    }

    var isAtEnd: Bool { index >= bytes.endIndex }
    var peek: UInt8? { isAtEnd ? nil : bytes[index] }

    mutating func take(_ byte: UInt8) -> Bool {
      guard peek == byte else { return false }
      index += 1
      return true
    }

    mutating func skipSpace() {
      while let byte = peek, byte == 0x20 || byte == 0x09 { index += 1 }
    }

    mutating func takeToken() -> ArraySlice<UInt8> {
      let start = index
      while let byte = peek, ByteClass.isToken(byte) { index += 1 }
      return bytes[start..<index]
    }

    /// A quoted string or, more leniently than the grammar, everything up to a semicolon or space.
    mutating func takeValue() -> [UInt8]? {
      guard take(UInt8(ascii: "\"")) else {
        let start = index
        while let byte = peek, byte != UInt8(ascii: ";"), byte != 0x20, byte != 0x09 { index += 1 }
        return start == index ? nil : Array(bytes[start..<index])
      }
      var value: [UInt8] = []
      while let byte = peek {
        index += 1
        if byte == UInt8(ascii: "\"") { return value }
        // Only a quote or a backslash is escaped: some clients send Windows paths with plain backslashes.
        if byte == UInt8(ascii: "\\"), let next = peek, next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
          index += 1
          value.append(next)
        } else {
          value.append(byte)
        }
      }
      return nil
    }
  }
}
