import CLinux
import Glibc

/// A POSIX thread that runs a reactor.
struct ReactorThread: Sendable {
  private let thread: pthread_t

  /// What the new thread is given. The reactor is made here and then only touched there.
  private final class Start {
    let reactor: Reactor

    init(_ reactor: Reactor) {
      self.reactor = reactor
    }
  }

  init(_ makeReactor: () throws(SystemCallError) -> Reactor) throws(SystemCallError) {
    let start = Unmanaged.passRetained(Start(try makeReactor()))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        clinux_name_thread("http")
        Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().reactor.run()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      start.release()
      throw SystemCallError(call: "pthread_create", errno: result)
    }
    self.thread = thread
  }

  func join() {
    pthread_join(thread, nil)
  }
}
