package import HTTP

/// Keeps web pages away from a server that asks for no key.
///
/// A server on loopback trusts whoever can connect. A browser on the same machine can, on behalf of any page it shows:
/// by a request across origins, which names the page in `Origin`, or by a name that the page's owner lets point to
/// 127.0.0.1 (DNS rebinding), which then stands in `Host`. Other clients send no `Origin`, and those of HTTP/1.0 may leave
/// `Host` out, which no browser does.
package enum LoopbackGuard {
  /// Why the request is refused, or nil.
  package static func refusal(of headers: HTTPHeaders) -> Problem? {
    let host = headers["Host"]
    if let host, !isLoopback(host) {
      return ServiceProblems.forbidden(
        "Host", "\(host.isEmpty ? "an empty name" : host) is not localhost or a loopback address")
    }
    for origin in headers.values("Origin") {
      guard let scheme = origin.firstRange(of: "://"), let host,
        origin[scheme.upperBound...].lowercased() == host.lowercased()
      else { return ServiceProblems.forbidden("Origin", "a page of \(origin) may not use this server") }
    }
    return nil
  }

  /// Whether `host [":" port]` is localhost, in 127.0.0.0/8 or [::1].
  private static func isLoopback(_ value: String) -> Bool {
    let host = value.lowercased()
    let name: Substring
    if host.hasPrefix("[") {
      name = host.dropFirst().prefix { $0 != "]" }
      guard name.contains(":") else { return false }
    } else {
      name = host.prefix { $0 != ":" }
    }
    return HTTPAddress(host: String(name), port: 0).isLoopback
  }
}
