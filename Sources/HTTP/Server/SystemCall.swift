import CLinux
import Glibc

/// A failed system call.
package struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call, such as `bind`.
  package let call: String
  package let errno: Int32

  package init(call: String, errno: Int32) {
    self.call = call
    self.errno = errno
  }

  package var description: String { "\(call): \(String(cString: strerror(errno)))" }

  /// Whether a failed accept says something about the one connection it took off the queue (accept(2)): the next may
  /// be in order. After anything else another accept would only fail again.
  package var concernsOneConnection: Bool {
    switch errno {
    case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH: true
    default: false
    }
  }
}

/// What a non-blocking call did.
enum Transfer: Equatable {
  /// Bytes moved; 0 from a read is the end of the stream.
  case done(Int)
  /// Nothing to do now (EAGAIN).
  case wouldBlock
  /// The connection is broken.
  case failed(Int32)
}

/// Every libc call of the server, wrapped once: EINTR is retried, EAGAIN is a value, other errors are typed.
enum SystemCall {
  /// Runs a call until it is not interrupted.
  @inline(__always)
  private static func retry(_ body: () -> Int) -> (result: Int, errno: Int32) {
    while true {
      let result = body()
      if result >= 0 { return (result, 0) }
      let code = Glibc.errno
      if code != EINTR { return (result, code) }
    }
  }

  private static func check(_ call: String, _ body: () -> Int32) throws(SystemCallError) -> Int32 {
    let (result, errno) = retry { Int(body()) }
    guard result >= 0 else { throw SystemCallError(call: call, errno: errno) }
    return Int32(truncatingIfNeeded: result)
  }

  @inline(__always)
  private static func transfer(_ body: () -> Int) -> Transfer {
    let (result, errno) = retry(body)
    if result >= 0 { return .done(result) }
    return errno == EAGAIN || errno == EWOULDBLOCK ? .wouldBlock : .failed(errno)
  }

  static func close(_ descriptor: Int32) {
    // Never retried: on Linux the descriptor is gone even after EINTR.
    _ = Glibc.close(descriptor)
  }

  static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
    transfer { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
  }

  /// Sends without raising SIGPIPE. `more` tells the kernel that another piece follows at once.
  static func send(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, more: Bool) -> Transfer {
    let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
    return transfer { Glibc.send(descriptor, buffer.baseAddress, buffer.count, flags) }
  }

  static func shutdownWriting(_ descriptor: Int32) {
    _ = shutdown(descriptor, Int32(SHUT_WR))
  }

  /// Makes a listening socket refuse further connections.
  static func stopListening(_ descriptor: Int32) {
    _ = shutdown(descriptor, Int32(SHUT_RDWR))
  }

  static func epollCreate() throws(SystemCallError) -> Int32 {
    try check("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
  }

  static func epollControl(
    _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, events: UInt32, token: UInt64
  ) throws(SystemCallError) {
    var event = epoll_event(events: events, data: epoll_data_t(u64: token))
    _ = try check("epoll_ctl") { epoll_ctl(epoll, operation, descriptor, &event) }
  }

  /// Waits for events; a negative timeout waits for ever. An interrupted wait returns none.
  static func epollWait(_ epoll: Int32, _ events: UnsafeMutableBufferPointer<epoll_event>, milliseconds: Int32) -> Int {
    max(0, Int(epoll_wait(epoll, events.baseAddress, Int32(events.count), milliseconds)))
  }

  static func eventDescriptor() throws(SystemCallError) -> Int32 {
    try check("eventfd") { eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)) }
  }

  static func signal(_ eventDescriptor: Int32) {
    var one: UInt64 = 1
    _ = retry { write(eventDescriptor, &one, 8) }
  }

  static func clear(_ eventDescriptor: Int32) {
    var count: UInt64 = 0
    _ = retry { read(eventDescriptor, &count, 8) }
  }

  /// A non-blocking TCP socket that listens at the address.
  static func listen(_ address: SocketAddress, backlog: Int32) throws(SystemCallError) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = try check("socket") { socket(address.family, kind, 0) }
    do throws(SystemCallError) {
      try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
      if address.family == AF_INET6 { try set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
      _ = try check("bind") { address.withPointer { bind(descriptor, $0, $1) } }
      _ = try check("listen") { Glibc.listen(descriptor, backlog) }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// The address a socket is bound to.
  static func localAddress(_ descriptor: Int32) throws(SystemCallError) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = try check("getsockname") {
      withUnsafeMutablePointer(to: &storage) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      }
    }
    return SocketAddress(storage: storage)
  }

  /// What accepting gave.
  enum Acceptance {
    case accepted(Int32, SocketAddress)
    case wouldBlock
    /// No descriptors or memory left: try again later.
    case exhausted(SystemCallError)
    /// The socket no longer listens.
    case ended
  }

  static func accept(_ descriptor: Int32) -> Acceptance {
    while true {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let (result, errno) = retry {
        withUnsafeMutablePointer(to: &storage) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            Int(clinux_accept(descriptor, $0, &length))
          }
        }
      }
      if result >= 0 {
        let socket = Int32(truncatingIfNeeded: result)
        try? set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        return .accepted(socket, SocketAddress(storage: storage))
      }
      switch errno {
      case EAGAIN: return .wouldBlock
      case EBADF, EINVAL, ENOTSOCK: return .ended
      default:
        let error = SystemCallError(call: "accept", errno: errno)
        if !error.concernsOneConnection { return .exhausted(error) }
      }
    }
  }

  private static func set(
    _ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32
  ) throws(SystemCallError) {
    var value = value
    _ = try check("setsockopt") {
      setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
