import Glibc

/// The read connections. `withConnection` waits until one is free, so that any number of threads may read.
final class ReaderPool: @unchecked Sendable {
  // A condition variable, which Synchronization lacks, needs a stable address.
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var free: [Connection]
  private var lent = 0
  private var isClosed = false

  init(_ connections: [Connection]) {
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    lock.initialize(to: pthread_mutex_t())
    changed.initialize(to: pthread_cond_t())
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
    free = connections
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// Lends a connection to `body`; throws `closed` after `close()`.
  func withConnection<Outcome>(
    _ body: (Connection) throws(StorageError) -> Outcome
  ) throws(StorageError) -> Outcome {
    guard let connection = take() else { throw .closed }
    defer { giveBack(connection) }
    return try body(connection)
  }

  /// Waits for the readers at work, then closes all connections.
  func close() {
    pthread_mutex_lock(lock)
    isClosed = true
    pthread_cond_broadcast(changed)
    while lent > 0 { pthread_cond_wait(changed, lock) }
    free.removeAll()
    pthread_mutex_unlock(lock)
  }

  private func take() -> Connection? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while free.isEmpty && !isClosed { pthread_cond_wait(changed, lock) }
    guard !isClosed, let connection = free.popLast() else { return nil }
    lent += 1
    return connection
  }

  private func giveBack(_ connection: Connection) {
    pthread_mutex_lock(lock)
    free.append(connection)
    lent -= 1
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
  }
}
