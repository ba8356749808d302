import Glibc

/// A moment of the wall clock, to the nanosecond.
package struct Timestamp: Sendable, Equatable {
  package let secondsSinceEpoch: Int
  package let nanoseconds: Int

  package init(secondsSinceEpoch: Int, nanoseconds: Int = 0) {
    self.secondsSinceEpoch = secondsSinceEpoch
    self.nanoseconds = nanoseconds
  }

  /// Now, by the system's clock.
  package static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(secondsSinceEpoch: time.tv_sec, nanoseconds: time.tv_nsec)
  }

  /// A moment given in milliseconds since 1970.
  package init(milliseconds: Int64) {
    let seconds = (Double(milliseconds) / 1000).rounded(.down)
    self.init(
      secondsSinceEpoch: Int(seconds), nanoseconds: Int(milliseconds - Int64(seconds) * 1000) * 1_000_000)
  }

  /// Milliseconds since 1970.
  package var milliseconds: Int64 { Int64(secondsSinceEpoch) * 1000 + Int64(nanoseconds / 1_000_000) }

  /// RFC 3339 in UTC with milliseconds: `2026-01-31T23:59:59.125Z`.
  package var rfc3339: String {
    let days = Int((Double(secondsSinceEpoch) / 86_400).rounded(.down))
    let second = secondsSinceEpoch - days * 86_400
    let date = Self.civilDate(daysSinceEpoch: days)
    return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
      + "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
      + ".\(padded(nanoseconds / 1_000_000, 3))Z"
  }

  /// The Gregorian date of a day (Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
  private static func civilDate(daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = daysSinceEpoch + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
