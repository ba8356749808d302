import Glibc

/// A thread that runs a closure.
struct Thread {
  private let thread: pthread_t

  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  init(_ body: @escaping () -> Void) {
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(Work(body)).toOpaque())
    self.thread = thread
  }

  func join() { pthread_join(thread, nil) }
}
