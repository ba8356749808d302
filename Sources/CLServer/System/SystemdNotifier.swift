import Glibc

/// Tells systemd how the service does: the protocol of sd_notify(3), without its library.
///
/// Every call is safe from any thread and does nothing outside systemd.
package struct SystemdNotifier: Sendable {
  /// Where messages go; nil outside systemd. A first `@` stands for the abstract namespace.
  package let socketPath: String?
  /// How often `WATCHDOG=1` is expected; nil without `WatchdogSec`.
  package let watchdogSeconds: Double?

  /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
  package init(environment: [String: String], processID: Int32 = getpid()) {
    socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    let forUs = environment["WATCHDOG_PID"].map { $0 == String(processID) } ?? true
    let microseconds = environment["WATCHDOG_USEC"].flatMap { UInt64($0) } ?? 0
    watchdogSeconds = forUs && microseconds > 0 ? Double(microseconds) / 1e6 : nil
  }

  /// Serving has begun.
  @discardableResult
  package func ready(status: String) -> Bool { send("READY=1\nSTATUS=\(oneLine(status))") }

  /// Shutting down has begun.
  @discardableResult
  package func stopping(status: String) -> Bool { send("STOPPING=1\nSTATUS=\(oneLine(status))") }

  /// A line for `systemctl status`.
  @discardableResult
  package func status(_ status: String) -> Bool { send("STATUS=\(oneLine(status))") }

  /// Starting takes longer than `TimeoutStartSec`; asks for this much more.
  @discardableResult
  package func extendTimeout(seconds: Double) -> Bool {
    send("EXTEND_TIMEOUT_USEC=\(Int(min(max(0, seconds), 1e9) * 1e6))")
  }

  /// Keeps the watchdog quiet while `healthy` says so: twice an interval, on a thread of its own, to the end of the process.
  package func startWatchdog(healthy: @escaping @Sendable () -> Bool) {
    guard socketPath != nil, let watchdogSeconds else { return }
    let notifier = self
    NamedThread.start("watchdog") {
      while true {
        if healthy() { notifier.send("WATCHDOG=1") }
        usleep(UInt32(min(max(watchdogSeconds / 2, 0.001), 3600) * 1e6))
      }
    }
  }

  /// Sends one message; tells whether the socket took it.
  @discardableResult
  package func send(_ message: String) -> Bool {
    guard let socketPath else { return false }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard var address = UnixAddress(socketPath) else { return false }
    let bytes = Array(message.utf8)
    let sent = address.withSocketAddress { pointer, length in
      sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, length)
    }
    return sent == bytes.count
  }

  private func oneLine(_ text: String) -> String { TextEscaping.withoutControls(text) }
}
