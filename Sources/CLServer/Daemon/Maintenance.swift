import Glibc
package import Storage

/// What has to be done now and then, on a thread of its own.
package struct Maintenance: Sendable {
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

  /// Sends heartbeats to listeners, and forgets old idempotency keys every hour, to the end of the process.
  package func start() {
    NamedThread.start("maintenance") { [self] in
      var sinceExpiry = Double.infinity
      while true {
        events.heartbeat()
        if sinceExpiry >= 3600 {
          let age = Int64(idempotencyHours) * 3_600_000
          // The next hour tries again: an old key does no harm.
          _ = try? store.expireIdempotencyKeys(olderThan: Timestamp.now().milliseconds - age)
          sinceExpiry = 0
        }
        usleep(UInt32(min(max(heartbeatSeconds, 0.1), 3600) * 1e6))
        sinceExpiry += heartbeatSeconds
      }
    }
  }
}
