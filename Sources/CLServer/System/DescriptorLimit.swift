import CLinux
import Glibc

/// How many files and sockets the process may have open.
package enum DescriptorLimit {
  /// Descriptors that connections must leave: the database, the listener, and those that are told there are too many.
  package static let reserved = 64

  /// Raises the soft limit (RLIMIT_NOFILE) to the hard one and returns the limit in force; nil if there is none to read.
  ///
  /// The soft limit is kept low for programs that use `select`, which this one does not.
  package static func raise() -> Int? {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return nil }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if setrlimit(resource, &raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// The connections that fit under a limit, if that is fewer than were asked for.
  package static func clamped(connections: Int, limit: Int) -> Int? {
    connections > limit - reserved ? max(1, limit - reserved) : nil
  }

  private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
