import Glibc
import HTTP

/// Requests a second of our server (one reactor) against nginx (one worker), both answering a tiny static 200 on
/// loopback, driven by wrk with one thread. The two take turns in every round, so that a change of the machine's load
/// meets both; the medians are compared.
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
  guard let nginx = NginxPeer() else { return print("http: needs nginx and wrk (apt install nginx-light wrk)") }
  defer { nginx.stop() }

  let seconds = option("--seconds", 3)
  let connections = option("--connections", 32)
  var rates: (ours: [Double], peer: [Double]) = ([], [])
  for round in 1...max(1, option("--rounds", 5)) {
    guard let mine = requestsPerSecond(ours.port, seconds, connections),
      let theirs = requestsPerSecond(nginx.port, seconds, connections)
    else { return print("http: wrk failed") }
    rates.ours.append(mine)
    rates.peer.append(theirs)
    print("round \(round): ours \(Int(mine)) requests/s, nginx \(Int(theirs)), ratio \(twoPlaces(mine / theirs))")
  }
  let mine = median(rates.ours)
  let theirs = median(rates.peer)
  print("median: ours \(Int(mine)) requests/s, nginx \(Int(theirs)), ratio \(twoPlaces(mine / theirs)) (goal 0.80)")
  if json {
    print(
      #"{"name":"http","ours":\#(mine),"peer":\#(theirs),"ratio":\#(mine / theirs),"unit":"requests/s","#
        + #""peer_name":"nginx","connections":\#(connections)}"#)
  }
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

private func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
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

private func requestsPerSecond(_ port: UInt16, _ seconds: Int, _ connections: Int) -> Double? {
  let command = "wrk -t1 -c\(connections) -d\(seconds)s http://127.0.0.1:\(port)/healthz"
  for line in (output(of: command) ?? "").split(separator: "\n") where line.hasPrefix("Requests/sec:") {
    return line.split(separator: " ").last.flatMap { Double($0) }
  }
  return nil
}

/// An nginx with one worker that answers `/healthz` from its configuration, in a directory of its own.
private final class NginxPeer {
  let port: UInt16
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
    let start = "\(path) nginx -p \(directory) -c \(directory)/nginx.conf >\(directory)/log 2>&1"
    guard output(of: start) != nil else { return nil }
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
