/// One step of the schema's history. A released migration is never edited: add another.
package struct Migration: Sendable {
  /// 1, 2, 3 ...: `PRAGMA user_version` after it.
  package let number: Int
  package let name: String
  package let sql: String

  package init(number: Int, name: String, sql: String) {
    self.number = number
    self.name = name
    self.sql = sql
  }

  /// Every migration, in order.
  package static let all = [teaching, versions, access, indexes, refining]
}

extension Connection {
  /// "CLSv": marks the file as this program's (`PRAGMA application_id`).
  private static let applicationID: Int64 = 0x434c_5376

  /// Refuses a database that is not ours to change: throws `tooNew` for one of a newer program and `foreign` for one of
  /// another program. Reads only.
  func checkOwner(_ migrations: [Migration], path: String) throws(StorageError) {
    let current = Int(try scalar("PRAGMA user_version"))
    let known = migrations.last?.number ?? 0
    if try scalar("PRAGMA application_id") != Connection.applicationID {
      let objects = try scalar("SELECT count(*) FROM sqlite_schema")
      guard current == 0 && objects == 0 else { throw .foreign(path: path) }
    }
    guard current <= known else { throw .tooNew(found: current, known: known) }
  }

  /// Brings the schema up to date. Each migration and its `user_version` are one transaction, so that a crash leaves
  /// the database at one version or the next.
  func migrate(_ migrations: [Migration]) throws(StorageError) {
    let current = Int(try scalar("PRAGMA user_version"))
    for migration in migrations where migration.number > current {
      try transaction("BEGIN IMMEDIATE") { connection throws(StorageError) in
        try connection.executeScript(migration.sql)
        try connection.executeScript("PRAGMA user_version = \(migration.number)")
        try connection.executeScript("PRAGMA application_id = \(Connection.applicationID)")
      }
    }
  }
}
