/// Sizes as people write them: `1048576`, `1024KiB`, `1 MiB`. Units are powers of 1024.
package enum ByteSize {
  private static let units: [(name: String, shift: Int)] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)]

  /// Nil for anything that is not a whole number with an optional unit, or does not fit.
  package static func parse(_ text: String) -> Int? {
    var digits = text[...]
    var shift = 0
    if let unit = units.first(where: { text.hasSuffix($0.name) }) {
      digits = text.dropLast(unit.name.count)
      if digits.last == " " { digits = digits.dropLast() }
      shift = unit.shift
    }
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(digits) else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
  }

  /// The shortest exact spelling.
  package static func spell(_ bytes: Int) -> String {
    for unit in units where unit.shift > 0 && bytes > 0 && bytes % (1 << unit.shift) == 0 {
      return "\(bytes >> unit.shift) \(unit.name)"
    }
    return "\(bytes)"
  }

  /// A rounded size for people: `3.4 MiB`.
  package static func approximate(_ bytes: Int) -> String {
    guard let unit = units.first(where: { $0.shift > 0 && bytes >= 1 << $0.shift }) else { return "\(bytes) B" }
    let tenths = (Double(bytes) / Double(1 << unit.shift) * 10).rounded() / 10
    return "\(tenths) \(unit.name)"
  }
}
