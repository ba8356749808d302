import Glibc

/// A blocking client over a real socket.
final class TestClient {
  private let descriptor: Int32

  /// - Parameter receiveBuffer: bytes that the kernel keeps for this client, to make it slow.
  init(port: UInt16, receiveBuffer: Int32? = nil) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    if var receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    self.descriptor = descriptor
    isConnected = result == 0
  }

  let isConnected: Bool

  deinit {
    Glibc.close(descriptor)
  }

  /// Sends everything; false if the connection broke.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count <= 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Says that nothing more will be sent.
  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// The next bytes; empty at the end or when the connection broke.
  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return Array(buffer.prefix(max(0, count)))
  }

  func receiveText(upTo end: String) -> String {
    var text = ""
    while !text.hasSuffix(end) {
      let bytes = receive()
      if bytes.isEmpty { return text }
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }

  func receiveAll() -> String {
    var all: [UInt8] = []
    while true {
      let bytes = receive()
      if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += bytes
    }
  }
}
