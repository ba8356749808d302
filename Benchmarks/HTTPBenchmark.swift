import Glibc
import HTTP

/// Requests a second of our server against nginx, on loopback, driven by wrk.
///
/// `--server PORT` only serves, for a profiler.
func runHTTPBenchmark(arguments: [String], json: Bool) {
  var router = Router()
  let body = Array("ok\n".utf8)
  router.on(.get, "/healthz") { _, responder in
    responder.send(HTTPResponse(status: 200, contentType: "text/plain", body: body))
  }
  let address = HTTPAddress(host: "127.0.0.1", port: UInt16(arguments.dropFirst().first ?? "0") ?? 0)
  do {
    let server = try HTTPServer(configuration: HTTPServerConfiguration(address: address), router: router)
    try server.start()
    print("listening on \(server.port)")
    sleep(100000)
  } catch {
    print("\(error)")
  }
}
