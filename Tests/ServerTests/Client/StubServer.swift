import CLServer
import Glibc
import Testing

/// A server of one answer a connection, for the clients' tests.
final class StubServer: Sendable {
  struct Request: Sendable {
    let head: String
    let body: String

    var line: String { String(head.prefix { $0 != "\r\n" }) }

    func header(_ name: String) -> String? {
      head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name + ": ") }
        .map { String($0.dropFirst(name.count + 2)) }
    }
  }

  let port: Int
  private let descriptor: Int32
  private let seen = WaitableLock<[Request]>([])

  /// - Parameter answer: status and body, or nil to close the connection without one.
  init(_ answer: @escaping @Sendable (Request, _ number: Int) -> (Int, String)?) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) | listen(descriptor, 16) | getsockname(descriptor, address, &length)
      }
    }
    try #require(status == 0)
    self.descriptor = descriptor
    port = Int(UInt16(bigEndian: address.sin_port))
    let seen = seen
    NamedThread.start("stub") {
      while true {
        let connection = accept(descriptor, nil, nil)
        // The thread closes what it accepts on: closed by another, its number could be another server's a moment later.
        guard connection >= 0 else {
          close(descriptor)
          return
        }
        let request = StubServer.receive(connection)
        let number = seen.withLock { seen in
          seen.append(request)
          return seen.count
        }
        if let (status, body) = answer(request, number) {
          let head = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
          FileDescriptorWriting.writeAll(head + body, to: connection)
        }
        close(connection)
      }
    }
  }

  var url: String { "http://127.0.0.1:\(port)" }

  var requests: [Request] { seen.withLock { $0 } }

  deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private static func receive(_ connection: Int32) -> Request {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.firstRange(of: "\r\n\r\n") {
        let head = String(text[..<end.lowerBound])
        let wanted = Int(Request(head: head, body: "").header("content-length") ?? "0") ?? 0
        let bodyStart = head.utf8.count + 4
        if bytes.count >= bodyStart + wanted {
          return Request(head: head, body: String(decoding: bytes[bodyStart...], as: UTF8.self))
        }
      }
      let got = recv(connection, &chunk, chunk.count, 0)
      if got <= 0 { return Request(head: "", body: "") }
      bytes += chunk[..<got]
    }
  }
}
