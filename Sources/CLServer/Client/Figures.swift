/// Numbers as the clients print them.
enum Figures {
  /// A share as percent with one decimal: `92.5 %`; a dash where there is none.
  static func percent(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "-" }
    return "\(decimals(share * 100, 1)) %"
  }

  /// A share in points with its sign: `-1.0`.
  static func points(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "-" }
    let text = decimals(share * 100, 1)
    return share > 0 && text != "0.0" ? "+" + text : text
  }

  /// Fixed decimals, rounded half away from zero; no `-0.0`.
  static func decimals(_ value: Double, _ count: Int) -> String {
    let scale = (0..<count).reduce(1.0) { product, _ in product * 10 }
    let scaled = (value * scale).rounded()
    guard scaled.magnitude < 1e15 else { return String(value) }
    let whole = Int(scaled.magnitude)
    let digits = String(whole % Int(scale))
    let fraction = count == 0 ? "" : "." + String(repeating: "0", count: count - digits.count) + digits
    return (scaled < 0 ? "-" : "") + String(whole / Int(scale)) + fraction
  }

  /// `41 s`, `3 min 20 s`.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(min(max(0, seconds), 1e9).rounded())
    return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
  }
}
