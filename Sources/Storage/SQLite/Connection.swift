import CSQLite
import Glibc

/// One SQLite connection with its prepared statements, each compiled once.
///
/// Not thread-safe by itself (`SQLITE_OPEN_NOMUTEX`): `Store` hands it to one thread at a time, under the writer's
/// lock or out of the `ReaderPool`. That discipline is what `@unchecked` stands for.
final class Connection: @unchecked Sendable {
  enum Mode { case readWrite, readOnly }

  private let handle: OpaquePointer
  private var statements: [String: Statement] = [:]

  /// How long a statement waits for a lock that another connection holds, in milliseconds.
  static let busyTimeout: Int32 = 5_000

  init(path: String, mode: Mode) throws(StorageError) {
    let access = mode == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
    var opened: OpaquePointer?
    let result = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
    guard result == SQLITE_OK, let opened else {
      let error = StorageError(result: result, handle: opened, sql: nil)
      sqlite3_close_v2(opened)
      throw error
    }
    handle = opened
    // SQLite opens a file that it may not write to for reading instead, and says so only here. Log files created now
    // would inherit the file's permissions and outlive the repair.
    if mode == .readWrite && sqlite3_db_readonly(handle, "main") == 1 {
      throw StorageError(result: SQLITE_READONLY, handle: nil, sql: nil)
    }
    sqlite3_busy_timeout(handle, Connection.busyTimeout)
    _ = csqlite_defensive(handle)
    try execute("PRAGMA trusted_schema = OFF")
    try execute("PRAGMA foreign_keys = ON")
    try execute("PRAGMA cell_size_check = ON")
    // KiB: a transaction of any size spills to the log instead of growing the process.
    try execute("PRAGMA cache_size = -4096")
    if mode == .readOnly { try execute("PRAGMA query_only = ON") }
  }

  deinit {
    statements.removeAll()
    sqlite3_close_v2(handle)
  }

  /// Row id of the last insert on this connection.
  var lastInsertedID: Int64 { sqlite3_last_insert_rowid(handle) }

  /// Rows that the last INSERT, UPDATE or DELETE changed, without those of foreign key actions.
  var changedRows: Int { Int(sqlite3_changes64(handle)) }

  /// Whether a transaction is open.
  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Runs one statement to its end, ignoring rows.
  func execute(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) {
    let result = try statement(sql).run(arguments) { _ in true }
    guard result == SQLITE_DONE else { throw StorageError(result: result, handle: handle, sql: sql) }
  }

  /// Inserts one row and returns its id.
  func insert(_ sql: String, _ arguments: [SQLValue]) throws(StorageError) -> Int64 {
    try execute(sql, arguments)
    return lastInsertedID
  }

  /// Runs a script of several statements without arguments: migrations.
  func executeScript(_ sql: String) throws(StorageError) {
    let result = sqlite3_exec(handle, sql, nil, nil, nil)
    guard result == SQLITE_OK else { throw StorageError(result: result, handle: handle, sql: sql) }
  }

  /// Hands every row to `body`, in one pass. `body` must not run the same SQL again on this connection.
  func forEachRow(
    _ sql: String, _ arguments: [SQLValue] = [], _ body: (Row) throws(StorageError) -> Void
  ) throws(StorageError) {
    var thrown: StorageError?
    let result = try statement(sql).run(arguments) { row in
      do throws(StorageError) {
        try body(row)
        return true
      } catch {
        thrown = error
        return false
      }
    }
    if let thrown { throw thrown }
    guard result == SQLITE_DONE else { throw StorageError(result: result, handle: handle, sql: sql) }
  }

  /// All rows, mapped.
  func rows<Record>(
    _ sql: String, _ arguments: [SQLValue] = [], _ record: (Row) throws(StorageError) -> Record
  ) throws(StorageError) -> [Record] {
    var records: [Record] = []
    try forEachRow(sql, arguments) { row throws(StorageError) in records.append(try record(row)) }
    return records
  }

  /// The first row, mapped, or nil.
  func firstRow<Record>(
    _ sql: String, _ arguments: [SQLValue] = [], _ record: (Row) throws(StorageError) -> Record
  ) throws(StorageError) -> Record? {
    var outcome: Result<Record, StorageError>?
    let result = try statement(sql).run(arguments) { row in
      do throws(StorageError) {
        outcome = .success(try record(row))
      } catch {
        outcome = .failure(error)
      }
      return false
    }
    if let outcome { return try outcome.get() }
    guard result == SQLITE_DONE else { throw StorageError(result: result, handle: handle, sql: sql) }
    return nil
  }

  /// The first column of the first row as an integer, 0 where there is no row.
  func scalar(_ sql: String, _ arguments: [SQLValue] = []) throws(StorageError) -> Int64 {
    try firstRow(sql, arguments) { row in row.integer(0) } ?? 0
  }

  /// Runs `body` inside a transaction: all of it happens or, when anything throws, nothing.
  func transaction<Outcome>(
    _ begin: String, _ body: (Connection) throws(StorageError) -> Outcome
  ) throws(StorageError) -> Outcome {
    try execute(begin)
    do throws(StorageError) {
      let outcome = try body(self)
      try execute("COMMIT")
      return outcome
    } catch {
      // SQLite has rolled back by itself after some errors (a full disk among them).
      if isInTransaction { try? execute("ROLLBACK") }
      throw error
    }
  }

  private func statement(_ sql: String) throws(StorageError) -> Statement {
    if let statement = statements[sql] { return statement }
    var prepared: OpaquePointer?
    let result = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard result == SQLITE_OK, let prepared else {
      throw StorageError(result: result, handle: handle, sql: sql)
    }
    let statement = Statement(handle: prepared, sql: sql)
    statements[sql] = statement
    return statement
  }
}

extension StorageError {
  /// Sorts a failed call by what the caller can do about it. The cause of an input/output error is the operating
  /// system's, so a full disk that SQLite meets while it extends the shared memory file is `full` as well.
  init(result: Int32, handle: OpaquePointer?, sql: String?) {
    let message = handle.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(result)
    let primary = result & 0xff
    let fromSystem = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL
    let failure = SQLiteFailure(
      code: primary, extendedCode: result,
      systemError: fromSystem ? handle.map { sqlite3_system_errno($0) } ?? 0 : 0,
      message: message.map { String(cString: $0) } ?? "unknown error", sql: sql)
    switch (primary, failure.systemError) {
    case (SQLITE_FULL, _), (SQLITE_IOERR, ENOSPC), (SQLITE_IOERR, EDQUOT), (SQLITE_CANTOPEN, ENOSPC),
      (SQLITE_CANTOPEN, EDQUOT):
      self = .full(failure)
    case (SQLITE_READONLY, _), (SQLITE_IOERR, EROFS), (SQLITE_CANTOPEN, EROFS), (SQLITE_CANTOPEN, EACCES),
      (SQLITE_CANTOPEN, EPERM), (SQLITE_PERM, _):
      self = .readOnly(failure)
    case (SQLITE_CORRUPT, _), (SQLITE_NOTADB, _): self = .corrupt(failure)
    case (SQLITE_BUSY, _), (SQLITE_LOCKED, _): self = .busy(failure)
    case (SQLITE_IOERR, _): self = .inputOutput(failure)
    case (SQLITE_CANTOPEN, _): self = .cannotOpen(failure)
    default: self = .sqlite(failure)
    }
  }

  /// A stored value that no version of this program writes.
  static func corruptValue(_ message: String) -> StorageError {
    .corrupt(
      SQLiteFailure(code: SQLITE_CORRUPT, extendedCode: SQLITE_CORRUPT, systemError: 0, message: message, sql: nil))
  }
}
