import CLServer
import Glibc
import Synchronization
import Testing

/// A bound datagram socket, as systemd has it.
private final class NotifySocket {
  private let descriptor: Int32
  private let path: String

  init(_ path: String) throws {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = try #require(UnixAddress(path))
    let descriptor = descriptor
    try #require(address.withSocketAddress { bind(descriptor, $0, $1) } == 0)
  }

  func receive() -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  deinit {
    close(descriptor)
    if path.hasPrefix("/") { unlink(path) }
  }
}

@Test(arguments: ["/tmp/clserver-notify-\(getpid())", "@clserver-notify-\(getpid())"])
func systemdHearsOfTheStates(_ path: String) throws {
  let socket = try NotifySocket(path)
  let notifier = SystemdNotifier(environment: ["NOTIFY_SOCKET": path])
  #expect(notifier.ready(status: "serving on 127.0.0.1:8080"))
  #expect(socket.receive() == "READY=1\nSTATUS=serving on 127.0.0.1:8080")
  #expect(notifier.status("a\nREADY=1"))
  #expect(socket.receive() == "STATUS=a\\nREADY=1")
  #expect(notifier.extendTimeout(seconds: 1.5))
  #expect(socket.receive() == "EXTEND_TIMEOUT_USEC=1500000")
  #expect(notifier.stopping(status: "draining"))
  #expect(socket.receive() == "STOPPING=1\nSTATUS=draining")
}

@Test(
  arguments: [
    ([:], nil), (["NOTIFY_SOCKET": ""], nil), (["NOTIFY_SOCKET": "relative"], nil), (["NOTIFY_SOCKET": "/x"], "/x"),
  ] as [([String: String], String?)])
func outsideSystemdNothingIsSent(_ environment: [String: String], _ path: String?) {
  let notifier = SystemdNotifier(environment: environment)
  #expect(notifier.socketPath == path)
  #expect(!notifier.ready(status: ""))
}

@Test(
  arguments: [
    ([:], nil), (["WATCHDOG_USEC": "2000000"], 2), (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "x"], nil),
    (["WATCHDOG_USEC": "500000", "WATCHDOG_PID": "42"], 0.5), (["WATCHDOG_USEC": "500000", "WATCHDOG_PID": "43"], nil),
  ] as [([String: String], Double?)])
func theWatchdogIsReadFromTheEnvironment(_ environment: [String: String], _ seconds: Double?) {
  #expect(SystemdNotifier(environment: environment, processID: 42).watchdogSeconds == seconds)
}

@Test func theWatchdogIsFedWhileHealthy() throws {
  let path = "@clserver-watchdog-\(getpid())"
  let socket = try NotifySocket(path)
  let notifier = SystemdNotifier(environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000"])
  let looks = Atomic<Int>(0)
  let feeding = Holder(looks)
  notifier.startWatchdog { feeding.next() <= 2 }
  #expect(socket.receive() == "WATCHDOG=1")
  #expect(socket.receive() == "WATCHDOG=1")
}

private final class Holder: Sendable {
  private let count: Atomic<Int>

  init(_ count: consuming Atomic<Int>) { self.count = count }

  func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}

@Test func theFirstSignalDrainsAndTheSecondEnds() {
  var sequence = ShutdownSequence()
  #expect(sequence.receive(SIGHUP) == .ignore)
  #expect(sequence.receive(SIGTERM) == .drain)
  #expect(sequence.receive(SIGHUP) == .ignore)
  #expect(sequence.receive(SIGINT) == .end)
}

@Test func signalsArriveOnTheirThread() {
  let received = WaitableLock<[SignalAction]>([])
  let thread = SignalHandling.listen { action, _ in
    received.withLock { $0.append(action) }
    received.signal()
  }
  for (count, signal) in [SIGHUP, SIGINT, SIGTERM].enumerated() {
    thread.deliver(signal)
    received.wait(until: { $0.count == count + 1 }) { _ in }
  }
  #expect(received.withLock { $0 } == [.ignore, .drain, .end])
}
