import Synchronization

/// The whole truth of a server: one SQLite file in WAL mode, `synchronous = FULL`.
///
/// Durability: when a function that writes returns, what it wrote is on disk and survives `kill -9`, and power loss on
/// storage that honours fsync. When it throws, nothing of it was written. A reader sees the state before or after a
/// write, never between.
///
/// Threads: every function is synchronous, may wait for the disk and may be called from any thread except those of
/// Swift's cooperative pool and the reactors. Writes are serialised by a lock around the one write connection; a write
/// never waits for reads nor a read for writes. Reads run on `readers` connections, each read in one snapshot.
///
/// Removal: `secure_delete` overwrites deleted rows with zeros, those of photographs included (its mode FAST would leave
/// these), so that nothing of a removed example stays in free pages of the file. Deleting writes as many bytes as it
/// deletes for that, and needs them free on the disk. Until the next checkpoint the log may hold what was removed:
/// call `checkpoint()` after removals.
///
/// Process: an `flock` on `PATH.lock` keeps a second process out.
package final class Store: Sendable {
  /// The database file.
  package let path: String

  /// The two halves of an open store; nil once closed.
  private let writer: Mutex<Connection?>
  private let readers: ReaderPool
  private let lock: Mutex<StateLock?>
  private let clock: @Sendable () -> Int64

  /// Opens or creates the database at `path` and brings its schema up to date. The directory must exist.
  ///
  /// - Parameters:
  ///   - readers: how many reads run at the same time, at least 1.
  ///   - maximumFileSize: bytes that the database may grow to, the log not counted; beyond it writes throw `full`.
  ///   - migrations: the schema's history; another list opens the file as an older or newer program would.
  ///   - clock: milliseconds since 1970 in UTC: the time of every row.
  /// - Throws: `inUse`, `tooNew`, `foreign`, `corrupt`, `readOnly`, `full`, `cannotOpen`.
  package init(
    path: String, readers: Int = 2, maximumFileSize: Int64? = nil, migrations: [Migration] = Migration.all,
    clock: @escaping @Sendable () -> Int64
  ) throws(StorageError) {
    let lock = try StateLock(path: path + ".lock")
    let connection = try Connection(path: path, mode: .readWrite)
    try connection.checkOwner(migrations, path: path)
    // Takes effect before the first table only. Photographs fill pages of 8 KiB faster than those of 4 KiB.
    try connection.execute("PRAGMA page_size = 8192")
    let mode = try connection.firstRow("PRAGMA journal_mode = WAL") { row in row.text(0) }
    guard mode == "wal" else {
      throw .cannotOpen(
        SQLiteFailure(
          code: 0, extendedCode: 0, systemError: 0,
          message: "write-ahead logging is not available on this file system", sql: nil))
    }
    try connection.execute("PRAGMA synchronous = FULL")
    try connection.execute("PRAGMA secure_delete = ON")
    // Bytes: the log of a large task is cut back at the next checkpoint.
    try connection.execute("PRAGMA journal_size_limit = 67108864")
    if let maximumFileSize {
      let pageSize = max(1, try connection.scalar("PRAGMA page_size"))
      try connection.execute("PRAGMA max_page_count = \(max(1, maximumFileSize / pageSize))")
    }
    try connection.migrate(migrations)
    var connections: [Connection] = []
    for _ in 0..<max(1, readers) { connections.append(try Connection(path: path, mode: .readOnly)) }

    self.path = path
    self.clock = clock
    self.lock = Mutex(lock)
    self.writer = Mutex(connection)
    self.readers = ReaderPool(connections)
  }

  /// Waits for what runs, moves the log into the database and closes. Later calls throw `closed`. May be called twice.
  package func close() {
    readers.close()
    writer.withLock { connection in
      // The last connection to close checkpoints and deletes the log.
      connection = nil
    }
    lock.withLock { $0 = nil }
  }

  /// Milliseconds since 1970 in UTC, from the caller's clock.
  var now: Int64 { clock() }

  /// Runs `body` in a read transaction: one snapshot for all of its statements.
  func read<Outcome>(
    _ body: (Connection) throws(StorageError) -> Outcome
  ) throws(StorageError) -> Outcome {
    try readers.withConnection { connection throws(StorageError) in
      try connection.transaction("BEGIN DEFERRED", body)
    }
  }

  /// Runs `body` in a write transaction and returns once it is on disk.
  func write<Outcome: Sendable>(
    _ body: (Connection) throws(StorageError) -> Outcome
  ) throws(StorageError) -> Outcome {
    try withWriter { connection throws(StorageError) in
      try connection.transaction("BEGIN IMMEDIATE", body)
    }
  }

  /// Lends the write connection outside a transaction.
  func withWriter<Outcome: Sendable>(
    _ body: (Connection) throws(StorageError) -> Outcome
  ) throws(StorageError) -> Outcome {
    try writer.withLock { connection throws(StorageError) in
      guard let connection else { throw .closed }
      return try body(connection)
    }
  }
}
