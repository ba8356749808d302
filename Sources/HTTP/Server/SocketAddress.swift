import Glibc

/// A numeric IPv4 or IPv6 address with a port.
struct SocketAddress: Sendable {
  private let storage: sockaddr_storage

  init(storage: sockaddr_storage) {
    self.storage = storage
  }

  /// Nil unless the host is numeric or `localhost`.
  init?(host: String, port: UInt16) {
    // A C string would end at a zero byte.
    guard !host.utf8.contains(0) else { return nil }
    var storage = sockaddr_storage()
    let name = host == "localhost" ? "127.0.0.1" : host
    let valid = withUnsafeMutablePointer(to: &storage) { pointer in
      if name.contains(":") {
        return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          $0.pointee.sin6_family = sa_family_t(AF_INET6)
          $0.pointee.sin6_port = port.bigEndian
          return inet_pton(AF_INET6, name, &$0.pointee.sin6_addr) == 1
        }
      }
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        $0.pointee.sin_family = sa_family_t(AF_INET)
        $0.pointee.sin_port = port.bigEndian
        return inet_pton(AF_INET, name, &$0.pointee.sin_addr) == 1
      }
    }
    guard valid else { return nil }
    self.storage = storage
  }

  var family: Int32 { Int32(storage.ss_family) }

  var port: UInt16 {
    withUnsafePointer(to: storage) { pointer in
      family == AF_INET6
        ? pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin6_port) }
        : pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
    }
  }

  /// The numeric host without brackets.
  var host: String {
    var text = [UInt8](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    withUnsafePointer(to: storage) { pointer in
      text.withUnsafeMutableBytes { buffer in
        let output = buffer.bindMemory(to: CChar.self).baseAddress
        if family == AF_INET6 {
          pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
            var address = $0.pointee.sin6_addr
            _ = inet_ntop(AF_INET6, &address, output, socklen_t(INET6_ADDRSTRLEN))
          }
        } else {
          pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            var address = $0.pointee.sin_addr
            _ = inet_ntop(AF_INET, &address, output, socklen_t(INET6_ADDRSTRLEN))
          }
        }
      }
    }
    return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// 127.0.0.0/8 or ::1.
  var isLoopback: Bool { family == AF_INET6 ? host == "::1" : host.hasPrefix("127.") }

  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    let length = family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    return withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }
}
