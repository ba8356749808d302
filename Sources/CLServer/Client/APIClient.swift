import CCurl

/// The API of one server.
package struct APIClient {
  package static let defaultServer = "http://127.0.0.1:8080"

  /// Without a trailing slash.
  package let server: String
  private let key: String?

  /// Call once a process, before other threads use libcurl.
  package init(server: String, key: String?) throws(UsageError) {
    let schemes = ["http://", "https://"]
    var base = server[...]
    while base.hasSuffix("/") { base.removeLast() }
    guard let scheme = schemes.first(where: { base.hasPrefix($0) }), base.count > scheme.count,
      !base.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F })
    else {
      throw UsageError(
        "the server must be an http:// or https:// address, not `\(TextEscaping.withoutControls(server))`")
    }
    if let key, key.isEmpty || !key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      throw UsageError("the key must be printable ASCII without spaces")
    }
    self.server = String(base)
    self.key = key
    curl_global_init(Int(CURL_GLOBAL_DEFAULT))
  }

  /// Sends one request; anything but 2xx is thrown as `.refused`.
  ///
  /// - Parameters:
  ///   - path: begins with a slash; query values are encoded here.
  ///   - idempotencyKey: with one, a broken connection is tried again.
  package func send(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: CurlExchange.Body = .none,
    idempotencyKey: String? = nil, progress: ((Int, Int) -> Void)? = nil
  ) throws(ClientError) -> [UInt8] {
    var headers = ["Accept: application/json"]
    if let key { headers.append("Authorization: Bearer \(key)") }
    if let idempotencyKey { headers.append("Idempotency-Key: \(idempotencyKey)") }
    let pairs = query.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }
    let exchange = CurlExchange(
      method: method, url: server + path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")), headers: headers,
      body: body, bypassesProxy: isLocal)
    let answer = try perform(exchange, attempts: idempotencyKey == nil ? 1 : 3, progress)
    guard (200..<300).contains(answer.status) else {
      throw .refused(status: answer.status, problem: ProblemReport(answer.body))
    }
    return answer.body
  }

  private func perform(
    _ exchange: CurlExchange, attempts: Int, _ progress: ((Int, Int) -> Void)?
  ) throws(ClientError) -> CurlExchange.Answer {
    var left = attempts
    while true {
      left -= 1
      do {
        return try exchange.perform(progress: progress)
      } catch {
        switch error {
        case .broken where left > 0: continue
        case .unreadable(let reason): throw .file(path: "the files to send", reason: reason)
        case .broken(let reason), .notConnected(let reason): throw .unreachable(server: server, reason: reason)
        }
      }
    }
  }

  /// A server of this machine is never reached through a proxy.
  private var isLocal: Bool {
    ["http://127.", "http://localhost", "http://[::1]", "https://127.", "https://localhost", "https://[::1]"]
      .contains { server.hasPrefix($0) }
  }

  /// Percent-encodes everything but RFC 3986's unreserved characters.
  package static func encoded(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        out.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        out += "%" + (digits.count == 1 ? "0" : "") + digits
      }
    }
    return out
  }
}
