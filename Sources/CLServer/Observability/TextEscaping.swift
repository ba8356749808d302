/// Makes text from outside safe to print: nothing that came in a request can start a line, colour a terminal or break JSON.
package enum TextEscaping {
  /// The text with control characters (C0, DEL, C1, line and paragraph separators, direction overrides) as `\u{..}` escapes.
  package static func withoutControls(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var out = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) { appendEscape(scalar, to: &out) } else { out.unicodeScalars.append(scalar) }
    }
    return out
  }

  /// A JSON string with its quotes (RFC 8259, section 7); control characters beyond C0 are escaped too.
  package static func json(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where isControl(scalar): out += "\\u" + hex(scalar.value, 4)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  /// A value of a text log line: bare when it is one word, otherwise as a JSON string.
  package static func logValue(_ text: String) -> String {
    let bare =
      !text.isEmpty && text.unicodeScalars.allSatisfy { !isControl($0) && !" \"=\\".unicodeScalars.contains($0) }
    return bare ? text : json(text)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  private static func appendEscape(_ scalar: Unicode.Scalar, to out: inout String) {
    switch scalar {
    case "\n": out += "\\n"
    case "\r": out += "\\r"
    case "\t": out += "\\t"
    default: out += "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }

  private static func hex(_ value: UInt32, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
