import Glibc
import HTTP

/// Requests a second of our server (one reactor) against nginx (one worker), both answering a tiny static 200 on
/// loopback, driven by wrk with one thread. The two take turns in every round, so that a change of the machine's load
/// meets both; the medians are compared. wrk is kept on the first core and the servers on the second, and all are of one
/// session, so that the scheduler treats both servers alike. The processor time of a request is printed too: unlike the
/// rate it hardly depends on what else the machine does.
///
/// Arguments: `--rounds N` (5), `--seconds N` (3), `--connections N` (32); `--serve PORT` only serves, for a profiler.
func runHTTPBenchmark(arguments: [String], json: Bool) {
  func option(_ name: String, _ usual: Int) -> Int {
    guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return usual }
    return Int(arguments[index + 1]) ?? usual
  }
  let ours: HTTPServer
  do {
    ours = try startOurServer(port: UInt16(clamping: option("--serve", 0)))
  } catch {
    return print("http: \(error)")
  }
  defer { ours.stop() }
  if arguments.contains("--serve") {
    print("serving on port \(ours.port)")
    while true { sleep(3600) }
  }
  pin(getpid())
  guard let nginx = NginxPeer() else { return print("http: needs nginx and wrk (apt install nginx-light wrk)") }
  defer { nginx.stop() }

  let seconds = option("--seconds", 3)
  let connections = option("--connections", 32)
  var mine: [Measurement] = []
  var theirs: [Measurement] = []
  for round in 1...max(1, option("--rounds", 5)) {
    guard let one = measure(ours.port, getpid(), seconds, connections),
      let other = measure(nginx.port, nginx.worker, seconds, connections)
    else { return print("http: wrk failed") }
    mine.append(one)
    theirs.append(other)
    print("round \(round): \(comparison(one, other))")
  }
  let middle = (Measurement.median(mine), Measurement.median(theirs))
  print("median: \(comparison(middle.0, middle.1)) (goal 0.80)")
  if json {
    let (one, other) = middle
    print(
      #"{"name":"http","ours":\#(one.rate),"peer":\#(other.rate),"ratio":\#(one.rate / other.rate),"#
        + #""unit":"requests/s","peer_name":"nginx","connections":\#(connections),"#
        + #""ours_cpu_microseconds":\#(one.cpu),"peer_cpu_microseconds":\#(other.cpu)}"#)
  }
}

private struct Measurement {
  /// Requests a second.
  var rate: Double
  /// Processor time of a request in microseconds, user and system.
  var cpu: Double

  static func median(_ all: [Measurement]) -> Measurement {
    Measurement(rate: all.map(\.rate).sorted()[all.count / 2], cpu: all.map(\.cpu).sorted()[all.count / 2])
  }
}

private func comparison(_ ours: Measurement, _ peer: Measurement) -> String {
  "ours \(Int(ours.rate)) requests/s (\(twoPlaces(ours.cpu)) us of CPU each), "
    + "nginx \(Int(peer.rate)) (\(twoPlaces(peer.cpu)) us), ratio \(twoPlaces(ours.rate / peer.rate))"
}

private func startOurServer(port: UInt16) throws(HTTPServerError) -> HTTPServer {
  var router = Router()
  let body = Array("ok\n".utf8)
  router.on(.get, "/healthz") { _, responder in
    responder.send(HTTPResponse(status: 200, contentType: "text/plain", body: body))
  }
  let address = HTTPAddress(host: "127.0.0.1", port: port)
  let server = try HTTPServer(configuration: HTTPServerConfiguration(address: address), router: router)
  try server.start()
  return server
}

private func twoPlaces(_ value: Double) -> Double { (value * 100).rounded() / 100 }

/// What a shell command prints, or nil if it fails.
private func output(of command: String) -> String? {
  guard let pipe = popen(command, "r") else { return nil }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = fread(&buffer, 1, buffer.count, pipe)
    if count == 0 { break }
    bytes += buffer[..<count]
  }
  return pclose(pipe) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
}

private func measure(_ port: UInt16, _ process: Int32, _ seconds: Int, _ connections: Int) -> Measurement? {
  let before = processorTime(process)
  let command = "taskset -c 0 wrk -t1 -c\(connections) -d\(seconds)s http://127.0.0.1:\(port)/healthz"
  guard let text = output(of: command) else { return nil }
  let spent = processorTime(process) - before
  var rate: Double?
  var requests: Double?
  for line in text.split(separator: "\n") {
    let words = line.split(separator: " ")
    if words.first == "Requests/sec:" { rate = words.last.flatMap { Double($0) } }
    if words.count > 2, words[1] == "requests", words[2] == "in" { requests = Double(words[0]) }
  }
  guard let rate, let requests, requests > 0 else { return nil }
  return Measurement(rate: rate, cpu: spent / requests)
}

/// Microseconds of processor time that a process has used, all threads together.
private func processorTime(_ process: Int32) -> Double {
  let text = output(of: "cat /proc/\(process)/stat") ?? ""
  // The fields after the name in brackets; the 12th and 13th are user and system time.
  let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
  guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
  return (user + system) * 1e6 / Double(sysconf(Int32(_SC_CLK_TCK)))
}

/// Keeps a process and its threads on the second core.
private func pin(_ process: Int32) {
  if sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 { _ = output(of: "taskset -acp 1 \(process)") }
}

/// An nginx with one worker that answers `/healthz` from its configuration, in a directory of its own.
private final class NginxPeer {
  let port: UInt16
  /// The worker's process.
  let worker: Int32
  private let directory: String

  init?() {
    let path = "PATH=$PATH:/usr/sbin:/sbin"
    guard output(of: "\(path) command -v nginx wrk >/dev/null && echo yes") != nil,
      let made = output(of: "mktemp -d"), let free = NginxPeer.freePort()
    else { return nil }
    directory = String(made.dropLast())
    port = free
    let configuration = """
      worker_processes 1;
      daemon off;
      pid \(directory)/pid;
      error_log \(directory)/error.log;
      events { worker_connections 1024; }
      http {
        access_log off;
        keepalive_requests 1000000000;
        server {
          listen 127.0.0.1:\(port);
          location /healthz { default_type text/plain; return 200 "ok\\n"; }
        }
      }
      """
    guard let file = fopen("\(directory)/nginx.conf", "w") else { return nil }
    fputs(configuration, file)
    fclose(file)
    let start = "\(path); nginx -p \(directory) -c \(directory)/nginx.conf >\(directory)/log 2>&1 &"
    guard output(of: start) != nil,
      let child = output(of: "sleep 0.5; pgrep -P $(cat \(directory)/pid)"), let process = Int32(child.dropLast())
    else { return nil }
    worker = process
    pin(worker)
  }

  func stop() {
    _ = output(of: "kill $(cat \(directory)/pid); sleep 0.2; rm -rf \(directory)")
  }

  /// A port that was free a moment ago.
  private static func freePort() -> UInt16? {
    let address = HTTPAddress(host: "127.0.0.1", port: 0)
    guard let server = try? HTTPServer(configuration: HTTPServerConfiguration(address: address), router: Router())
    else { return nil }
    defer { server.stop() }
    return server.port
  }
}
