import Glibc
package import Storage

/// What has to be done now and then, on a thread of its own.
package struct Maintenance: Sendable {
  /// Events of tasks at rest are kept for 30 days; milliseconds.
  private static let eventAge: Int64 = 30 * 86_400_000

  private let store: Store
  private let events: EventHub
  private let heartbeatSeconds: Double
  private let idempotencyHours: Int

  package init(store: Store, events: EventHub, configuration: Configuration) {
    self.store = store
    self.events = events
    heartbeatSeconds = configuration.sseHeartbeatSeconds
    idempotencyHours = configuration.idempotencyHours
  }

  /// Sends heartbeats to listeners, and tidies the database every hour, to the end of the process.
  package func start() {
    NamedThread.start("maintenance") { [self] in
      var sinceExpiry = Double.infinity
      while true {
        events.heartbeat()
        if sinceExpiry >= 3600 {
          let age = Int64(idempotencyHours) * 3_600_000
          // The next hour tries again: an old key or event does no harm.
          _ = try? store.expireIdempotencyKeys(olderThan: Timestamp.now().milliseconds - age)
          _ = try? store.pruneEvents(olderThan: Timestamp.now().milliseconds - Self.eventAge)
          // The log may hold what was removed; this moves it into the file, where it is overwritten.
          _ = try? store.checkpoint()
          sinceExpiry = 0
        }
        usleep(UInt32(min(max(heartbeatSeconds, 0.1), 3600) * 1e6))
        sinceExpiry += heartbeatSeconds
      }
    }
  }
}
