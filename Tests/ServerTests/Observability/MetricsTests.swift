import CLServer
import FoundationEssentials
import Glibc
import Testing

/// One of everything.
private func populatedRegistry() -> MetricsRegistry {
  let registry = MetricsRegistry()
  let requests = registry.counter("clserver_requests_total", "Requests.", labels: ["route", "status"])
  requests["/tasks/{id}", "200"].increment()
  requests["/tasks/{id}", "200"].increment(by: 2)
  requests["a\"b\\c\nd", "400"].increment()
  registry.gauge("clserver_queue_inputs", "Inputs\nthat \\ wait.").set(2.5)
  registry.gauge("clserver_version", "The version that answers.") { 7 }
  registry.gauge("clserver_absent", "Nothing to say.") { nil }
  registry.gauge("clserver_tasks", "Tasks by state.", labels: ["state"]) { [(["ready"], 3), (["failed"], 1)] }
  let durations = registry.histogram("clserver_request_duration_seconds", "Durations.", bounds: [0.1, 1])
  for value in [0.05, 0.1, 0.5, 2, .nan] { durations.observe(value) }
  return registry
}

@Test func theExpositionIsWhatPrometheusReads() {
  let expected = #"""
    # HELP clserver_queue_inputs Inputs\nthat \\ wait.
    # TYPE clserver_queue_inputs gauge
    clserver_queue_inputs 2.5
    # HELP clserver_request_duration_seconds Durations.
    # TYPE clserver_request_duration_seconds histogram
    clserver_request_duration_seconds_bucket{le="0.1"} 2
    clserver_request_duration_seconds_bucket{le="1"} 3
    clserver_request_duration_seconds_bucket{le="+Inf"} 4
    clserver_request_duration_seconds_sum 2.65
    clserver_request_duration_seconds_count 4
    # HELP clserver_requests_total Requests.
    # TYPE clserver_requests_total counter
    clserver_requests_total{route="/tasks/{id}",status="200"} 3
    clserver_requests_total{route="a\"b\\c\nd",status="400"} 1
    # HELP clserver_tasks Tasks by state.
    # TYPE clserver_tasks gauge
    clserver_tasks{state="ready"} 3
    clserver_tasks{state="failed"} 1
    # HELP clserver_version The version that answers.
    # TYPE clserver_version gauge
    clserver_version 7

    """#
  #expect(populatedRegistry().exposition() == expected)
}

@Test func metricsFromRequestsAreBounded() {
  let registry = MetricsRegistry()
  let counter = registry.counter("clserver_paths_total", "Paths.", labels: ["path"])
  for index in 0..<3000 { counter["/\(index)"].increment() }
  let lines = registry.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
  #expect(lines.count == 1001)
  #expect(lines.contains("clserver_paths_total{path=\"other\"} 2000"))
}

@Test func manyThreadsLoseNoCount() async {
  let registry = MetricsRegistry()
  let counter = registry.counter("clserver_things_total", "Things.")
  let gauge = registry.gauge("clserver_level", "Level.")
  let histogram = registry.histogram("clserver_size_bytes", "Sizes.", bounds: [1])
  await withTaskGroup(of: Void.self) { group in
    for _ in 0..<4 {
      group.addTask {
        for _ in 0..<1000 {
          counter.increment()
          gauge.add(0.5)
          histogram.observe(1)
        }
      }
    }
  }
  #expect(counter.value == 4000)
  #expect(gauge.value == 2000)
  #expect(registry.exposition().contains("clserver_size_bytes_bucket{le=\"1\"} 4000\n"))
}

@Test func theProcessReportsItself() {
  let registry = MetricsRegistry()
  ProcessMetrics.register(in: registry)
  let lines = registry.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
  let values = Dictionary(
    uniqueKeysWithValues: lines.map { line in
      let parts = line.split(separator: " ")
      return (String(parts[0]), Double(parts[1]) ?? -1)
    })
  #expect(values["process_resident_memory_bytes", default: 0] > 1_000_000)
  #expect(values["process_open_fds", default: 0] >= 3)
  #expect(values["process_threads", default: 0] >= 1)
  #expect(values["process_cpu_seconds_total"] != nil)
  let age = Double(Timestamp.now().secondsSinceEpoch) - (values["process_start_time_seconds"] ?? 0)
  #expect(age > -5 && age < 86_400)
}

@Test func aProcessNameCannotShiftTheFields() {
  let text = "7 (a) 1 (b) S 1 2 3 4 5 6 7 8 9 10 100 20 0 0 20 0 4 0 555 8192 16 0\n"
  let status = ProcessMetrics.parse(stat: text)
  #expect(status?.cpuTicks == 120)
  #expect(status?.threads == 4)
  #expect(status?.startTicks == 555)
  #expect(status?.virtualBytes == 8192)
  #expect(status?.residentPages == 16)
  #expect(ProcessMetrics.parse(stat: "7 (a) S 1") == nil)
}

private let promtool = "/usr/bin/promtool"

@Test(.enabled(if: access(promtool, X_OK) == 0, "promtool is not installed (Debian: prometheus)"))
func promtoolAcceptsTheExposition() throws {
  let registry = populatedRegistry()
  ProcessMetrics.register(in: registry)
  let path = "/tmp/clserver-metrics-\(getpid()).txt"
  try registry.exposition().write(toFile: path, atomically: false, encoding: .utf8)
  defer { unlink(path) }
  #expect(system("\(promtool) check metrics < \(path)") == 0)
}
