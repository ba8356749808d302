import Glibc

/// A value behind a lock that threads can wait on: a mutex with a condition (POSIX), which `Synchronization` does not have.
package final class WaitableLock<Value: ~Copyable>: @unchecked Sendable {
  // Safe because `value` is only touched between lock and unlock; the C objects need a stable address.
  private var value: Value
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init(_ value: consuming Value) {
    self.value = value
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value)
  }

  /// Wakes every waiter to look again.
  package func signal() { pthread_cond_broadcast(condition) }

  /// Waits until `ready`, then runs `body` under the same lock.
  package func wait<Result>(until ready: (borrowing Value) -> Bool, _ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !ready(value) { pthread_cond_wait(condition, mutex) }
    return body(&value)
  }

  /// Waits until `ready` or until `seconds` have passed; tells whether it was ready.
  package func wait(seconds: Double, until ready: (borrowing Value) -> Bool) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let total = Double(deadline.tv_nsec) / 1e9 + min(max(0, seconds), 1e9)
    deadline.tv_sec += Int(total)
    deadline.tv_nsec = Int((total - total.rounded(.down)) * 1e9)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !ready(value) {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return ready(value) }
    }
    return true
  }
}

/// Opens once; whoever waits goes on.
package final class Gate: Sendable {
  private let state = WaitableLock(false)

  package init() {}

  package func open() {
    state.withLock { $0 = true }
    state.signal()
  }

  package func wait() { state.wait(until: { $0 }) { _ in } }

  /// Tells whether it opened within `seconds`.
  @discardableResult
  package func wait(seconds: Double) -> Bool { state.wait(seconds: seconds, until: { $0 }) }
}
