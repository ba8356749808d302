import Glibc

/// A point on the monotonic clock.
package struct Moment: Comparable, Sendable {
  package let nanoseconds: Int64

  package init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// The clock's reading.
  static func now() -> Moment {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  package static func < (left: Moment, right: Moment) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Saturates instead of overflowing, so that a deadline of centuries is one that never comes.
  package static func + (moment: Moment, duration: Duration) -> Moment {
    let (seconds, attoseconds) = duration.components
    let (scaled, tooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, beyond) = moment.nanoseconds.addingReportingOverflow(scaled)
    guard !tooLong, !beyond else { return Moment(nanoseconds: seconds < 0 ? 0 : .max / 2) }
    return Moment(nanoseconds: sum &+ attoseconds / 1_000_000_000)
  }

  package static func - (left: Moment, right: Moment) -> Duration {
    .nanoseconds(left.nanoseconds &- right.nanoseconds)
  }
}
