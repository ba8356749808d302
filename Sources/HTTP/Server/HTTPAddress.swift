/// Where a server listens.
package struct HTTPAddress: Sendable, Equatable, CustomStringConvertible {
  /// A numeric IPv4 or IPv6 address without brackets, or `localhost`, which means 127.0.0.1.
  package var host: String
  /// 0 lets the kernel choose.
  package var port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Parses `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`; nil for anything else.
  package init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else { return nil }
    var host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard host.contains(":") == isBracketed, SocketAddress(host: String(host), port: port) != nil else { return nil }
    self.init(host: String(host), port: port)
  }

  /// Whether only programs on this machine can connect.
  package var isLoopback: Bool { SocketAddress(host: host, port: port)?.isLoopback ?? false }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
