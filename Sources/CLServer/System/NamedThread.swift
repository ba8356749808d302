import Glibc

/// Detached threads with names that `top -H` and debuggers show.
package enum NamedThread {
  /// Runs `body` on a new thread; its name is cut to 15 bytes. Traps when the system has no more threads.
  package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let argument = Unmanaged.passRetained(ThreadBody(name: name, run: body)).toOpaque()
    var thread = pthread_t()
    let status = pthread_create(&thread, nil, threadMain, argument)
    precondition(status == 0, "pthread_create: \(status)")
    pthread_detach(thread)
  }
}

private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
  setThreadName(body.name)
  body.run()
  return nil
}

/// The name goes through /proc: prctl(2) is variadic and Glibc's module lacks pthread_setname_np. Failing is harmless.
private func setThreadName(_ name: String) {
  let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  FileDescriptorWriting.writeAll(String(name.prefix(15)), to: descriptor)
  close(descriptor)
}

private final class ThreadBody: Sendable {
  let name: String
  let run: @Sendable () -> Void

  init(name: String, run: @escaping @Sendable () -> Void) {
    self.name = name
    self.run = run
  }
}
