internal import Glibc

/// A mutex with two conditions, on POSIX threads: the calling thread really blocks, so never wait from Swift's
/// cooperative pool. This file owns the unsafe memory; callers only lock, wait and wake.
final class Monitor: @unchecked Sendable {
  enum Condition: Int {
    /// Workers wait here for something to do.
    case work = 0
    /// Threads outside the pool wait here for their job's end.
    case finished = 1
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let conditions: UnsafeMutablePointer<pthread_cond_t>

  init() {
    mutex = .allocate(capacity: 1)
    conditions = .allocate(capacity: 2)
    precondition(pthread_mutex_init(mutex, nil) == 0, "pthread_mutex_init")
    for index in 0..<2 { precondition(pthread_cond_init(conditions + index, nil) == 0, "pthread_cond_init") }
  }

  deinit {
    for index in 0..<2 { pthread_cond_destroy(conditions + index) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// Waits, with the mutex held, until woken (or for no reason: check again).
  func wait(_ condition: Condition) { pthread_cond_wait(conditions + condition.rawValue, mutex) }
  func wakeAll(_ condition: Condition) { pthread_cond_broadcast(conditions + condition.rawValue) }
}
