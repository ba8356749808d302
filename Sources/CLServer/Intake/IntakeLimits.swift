/// How much a request to teach may hold.
package struct IntakeLimits: Sendable, Equatable {
  /// Entries of an archive (directories included), examples of JSON, parts of multipart. Whole request.
  package var maximumItems = 100_000
  /// One item's bytes, unpacked.
  package var maximumItemBytes = 32 << 20
  /// All items' bytes, unpacked, taken or not. Whole request.
  package var maximumUnpackedBytes = 2 << 30
  /// UTF-8 bytes of a class's or group's name.
  package var maximumLabelBytes = 256
  /// UTF-8 bytes of an item's or task's name.
  package var maximumNameBytes = 1024
  /// How deep arrays and objects may be nested. Whole request.
  package var jsonDepth = 32

  package init() {}

  /// Why `label` cannot name a class; nil when it can: 1 to `maximumLabelBytes` bytes of UTF-8 without control characters,
  /// and without blanks at either end.
  package func problem(withLabel label: String) -> String? {
    if label.isEmpty { return "empty" }
    if label.utf8.count > maximumLabelBytes { return "longer than \(maximumLabelBytes) bytes" }
    if label.first?.isWhitespace == true || label.last?.isWhitespace == true { return "begins or ends with a blank" }
    return controlProblem(label)
  }

  /// Why `name` cannot name an item or a task; nil when it can.
  package func problem(withName name: String) -> String? {
    if name.utf8.count > maximumNameBytes { return "longer than \(maximumNameBytes) bytes" }
    return controlProblem(name)
  }

  func itemTooLarge(_ size: Int) -> String {
    "\(size) bytes, the limit is \(maximumItemBytes)"
  }

  /// A name that is safe to show: cut to the limit, control characters replaced.
  func shortened(_ name: String) -> String {
    var shown = ""
    var length = 0
    for scalar in name.unicodeScalars {
      let next: Unicode.Scalar = Self.isControl(scalar) ? "\u{FFFD}" : scalar
      length += String(next).utf8.count
      if length > maximumNameBytes { break }
      shown.unicodeScalars.append(next)
    }
    return shown
  }

  private func controlProblem(_ text: String) -> String? {
    text.unicodeScalars.contains(where: Self.isControl) ? "contains a control character" : nil
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
  }
}
