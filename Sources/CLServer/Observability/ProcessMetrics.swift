import Glibc

/// What /proc/self says about this process, under the names Prometheus clients share.
package enum ProcessMetrics {
  package static func register(in registry: MetricsRegistry) {
    registry.counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.") {
      status().map { Double($0.cpuTicks) / ticksPerSecond }
    }
    registry.gauge("process_resident_memory_bytes", "Resident memory in bytes.") {
      status().map { Double($0.residentPages) * Double(sysconf(Int32(_SC_PAGESIZE))) }
    }
    registry.gauge("process_virtual_memory_bytes", "Virtual memory in bytes.") {
      status().map { Double($0.virtualBytes) }
    }
    registry.gauge("process_threads", "Threads of the process.") { status().map { Double($0.threads) } }
    registry.gauge("process_open_fds", "Open file descriptors.") { openDescriptors().map(Double.init) }
    registry.gauge("process_max_fds", "Most file descriptors the process may open.") {
      var limit = rlimit()
      return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? Double(limit.rlim_cur) : nil
    }
    let started = startTime()
    registry.gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.") { started }
  }

  /// Some fields of proc(5)'s `stat`: times in clock ticks.
  package struct Status: Equatable, Sendable {
    package let cpuTicks: UInt64
    package let threads: Int
    package let startTicks: UInt64
    package let virtualBytes: UInt64
    package let residentPages: UInt64
  }

  /// Reads the fields of proc(5)'s `stat`; the name in parentheses may itself contain spaces and parentheses.
  package static func parse(stat text: String) -> Status? {
    guard let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split { $0 == " " || $0 == "\n" }
    // The first field here is number 3 of the manual.
    func field(_ number: Int) -> UInt64? { fields.count > number - 3 ? UInt64(fields[number - 3]) : nil }
    guard let user = field(14), let system = field(15), let threads = field(20), let start = field(22),
      let virtualBytes = field(23), let resident = field(24)
    else { return nil }
    return Status(
      cpuTicks: user &+ system, threads: Int(clamping: threads), startTicks: start, virtualBytes: virtualBytes,
      residentPages: resident)
  }

  private static var ticksPerSecond: Double { Double(sysconf(Int32(_SC_CLK_TCK))) }

  private static func status() -> Status? {
    guard case .success(let text) = TextFile.read("/proc/self/stat") else { return nil }
    return parse(stat: text)
  }

  private static func openDescriptors() -> Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Not counted: `.`, `..` and the descriptor of this listing.
    return max(0, count - 3)
  }

  private static func startTime() -> Double? {
    guard let status = status(), case .success(let text) = TextFile.read("/proc/stat"),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
      let boot = Double(line.dropFirst("btime ".count))
    else { return nil }
    return boot + Double(status.startTicks) / ticksPerSecond
  }
}
