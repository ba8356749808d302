package import Glibc

/// The address of a Unix socket: a path, or a name in the abstract namespace when it begins with `@`.
package struct UnixAddress: Sendable {
  private var address = sockaddr_un()
  private let length: socklen_t

  /// Nil when the path is empty or too long (107 bytes).
  package init?(_ path: String) {
    let bytes = Array(path.utf8)
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    let isAbstract = bytes[0] == UInt8(ascii: "@")
    // An abstract name has no terminator: its length is what counts.
    length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { field in
      field.copyBytes(from: bytes)
      if isAbstract { field[0] = 0 }
    }
  }

  /// Lends the address in the form socket calls take.
  package mutating func withSocketAddress<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    let length = length
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
