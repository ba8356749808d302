import Glibc

/// The Date field, formatted once a second (IMF-fixdate, RFC 9110, section 5.6.7).
struct HTTPDate {
  private var second = Int.min
  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  private(set) var text: [UInt8] = []

  /// Reads the clock and formats again if the second has changed.
  mutating func refresh() {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    refresh(secondsSince1970: time.tv_sec)
  }

  mutating func refresh(secondsSince1970 seconds: Int) {
    guard seconds != second else { return }
    second = seconds
    text = Self.format(seconds)
  }

  static func format(_ seconds: Int) -> [UInt8] {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = days[Int(parts.tm_wday)]
    let month = months[Int(parts.tm_mon)]
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return Array("\(day), \(two(parts.tm_mday)) \(month) \(1900 + Int(parts.tm_year)) \(clock) GMT".utf8)
  }
}
