/// Classes of bytes in the grammar of RFC 9110 and 9112, as branch-free tests on two 64-bit masks.
enum ByteClass {
  /// tchar: letters, digits and !#$%&'*+-.^_`|~
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    contains(byte, low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
  }

  /// What a field value may hold: tab, space, visible ASCII and obs-text. Never another control character.
  @inline(__always)
  static func isFieldValue(_ byte: UInt8) -> Bool {
    (byte >= 0x20 && byte != 0x7f) || byte == 0x09
  }

  /// What a request target may hold: visible ASCII except `"`, `#`, `<`, `>` and `\`. This is RFC 3986 and the
  /// characters that browsers leave unescaped.
  @inline(__always)
  static func isTarget(_ byte: UInt8) -> Bool {
    contains(byte, low: 0xaffffff2_00000000, high: 0x7fff_ffff_efff_ffff)
  }

  /// What a Host value may hold besides brackets: unreserved, sub-delims, percent and the colon before the port.
  @inline(__always)
  static func isHost(_ byte: UInt8) -> Bool {
    contains(byte, low: 0x2fff_7ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe)
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }

  @inline(__always)
  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  @inline(__always)
  private static func contains(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
    let mask = byte < 64 ? low : high
    return byte < 128 && (mask >> UInt64(byte & 63)) & 1 == 1
  }
}
