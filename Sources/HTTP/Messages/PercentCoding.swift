/// Percent-encoding of URIs (RFC 3986, section 2.1).
enum PercentCoding {
  /// Whether every `%` is followed by two hexadecimal digits, none of them is `%00`, and the decoded bytes are UTF-8.
  static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.contains(UInt8(ascii: "%")) else { return true }
    guard let decoded = decodedBytes(bytes, plusIsSpace: false) else { return false }
    return !decoded.contains(0) && String(validating: decoded, as: UTF8.self) != nil
  }

  /// The decoded text; an invalid escape stays as it is.
  static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String {
    let special = bytes.contains { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }
    guard special, let decoded = decodedBytes(bytes, plusIsSpace: plusIsSpace) else {
      return String(decoding: bytes, as: UTF8.self)
    }
    return String(decoding: decoded, as: UTF8.self)
  }

  /// The decoded bytes, or nil if an escape is invalid.
  static func decodedBytes(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") {
        guard bytes.endIndex - index > 2, let high = ByteClass.hexValue(bytes[index + 1]),
          let low = ByteClass.hexValue(bytes[index + 2])
        else { return nil }
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
        index += 1
      }
    }
    return decoded
  }
}
