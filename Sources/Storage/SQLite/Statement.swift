import CSQLite

/// A prepared statement. Belongs to one `Connection` and is used by whoever holds that connection.
final class Statement {
  private let handle: OpaquePointer
  let sql: String

  init(handle: OpaquePointer, sql: String) {
    self.handle = handle
    self.sql = sql
  }

  deinit {
    sqlite3_finalize(handle)
  }

  /// Binds the arguments, steps to the end and hands each row to `body`, which returns false to stop early.
  /// Returns SQLite's result code: `SQLITE_DONE`, `SQLITE_ROW` when stopped early, or an error.
  ///
  /// Blobs are borrowed from `arguments` for the duration of the call, which is why binding and stepping are one
  /// function.
  func run(_ arguments: [SQLValue], _ body: (Row) -> Bool) -> Int32 {
    precondition(
      Int(sqlite3_bind_parameter_count(handle)) == arguments.count, "wrong number of arguments for \(sql)")
    defer {
      sqlite3_reset(handle)
      sqlite3_clear_bindings(handle)
    }
    return bind(arguments, from: 0, body)
  }

  private func bind(_ arguments: [SQLValue], from start: Int, _ body: (Row) -> Bool) -> Int32 {
    for position in start..<arguments.count {
      let index = Int32(position + 1)
      let result: Int32
      switch arguments[position] {
      case .null: result = sqlite3_bind_null(handle, index)
      case .integer(let value): result = sqlite3_bind_int64(handle, index, value)
      case .real(let value): result = sqlite3_bind_double(handle, index, value)
      case .text(var value):
        result = value.withUTF8 { utf8 in
          // An empty buffer may have no address, and SQLite takes a null address for NULL.
          utf8.withMemoryRebound(to: CChar.self) { text in
            guard let address = text.baseAddress else { return csqlite_bind_text_copy(handle, index, "", 0) }
            return csqlite_bind_text_copy(handle, index, address, UInt64(text.count))
          }
        }
      case .blob(let bytes) where bytes.isEmpty: result = sqlite3_bind_zeroblob(handle, index, 0)
      case .blob(let bytes):
        return bytes.withUnsafeBytes { buffer in
          let result = csqlite_bind_blob_borrowed(handle, index, buffer.baseAddress, UInt64(buffer.count))
          guard result == SQLITE_OK else { return result }
          return bind(arguments, from: position + 1, body)
        }
      }
      guard result == SQLITE_OK else { return result }
    }
    return step(body)
  }

  private func step(_ body: (Row) -> Bool) -> Int32 {
    while true {
      let result = sqlite3_step(handle)
      guard result == SQLITE_ROW else { return result }
      guard body(Row(handle: handle)) else { return result }
    }
  }
}

/// The current row of a running statement: valid only inside the closure that receives it.
struct Row {
  fileprivate let handle: OpaquePointer

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
  func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
  func bool(_ column: Int32) -> Bool { sqlite3_column_int64(handle, column) != 0 }
  func real(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

  func text(_ column: Int32) -> String {
    guard let text = sqlite3_column_text(handle, column) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
  }

  func blob(_ column: Int32) -> [UInt8] { withBlob(column) { Array($0) } }

  /// Lends the bytes of a blob without a copy.
  func withBlob<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    // The order matters: asking for the size first could convert the value and move it.
    let address = sqlite3_column_blob(handle, column)
    return body(UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(handle, column))))
  }

  func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }
  func optionalInt(_ column: Int32) -> Int? { isNull(column) ? nil : int(column) }
  func optionalReal(_ column: Int32) -> Double? { isNull(column) ? nil : real(column) }
  func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
  func optionalBlob(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : blob(column) }
}
