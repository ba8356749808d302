extension Store {
  /// Reads the whole file: what is wrong with it, nothing where it is sound. Takes as long as reading the file does.
  package func integrityCheck() throws(StorageError) -> [String] {
    try read { connection throws(StorageError) in
      var findings = try connection.rows("PRAGMA integrity_check(100)") { row in row.text(0) }
      if findings == ["ok"] { findings = [] }
      try connection.forEachRow("PRAGMA foreign_key_check") { row in
        findings.append("row \(row.integer(1)) of \(row.text(0)) refers to a missing row of \(row.text(2))")
      }
      return findings
    }
  }

  /// Moves the log into the database file and empties it, as far as the readers allow.
  package func checkpoint() throws(StorageError) {
    try withWriter { connection throws(StorageError) in
      try connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }
  }

  /// Bytes of the database, free pages included, without the log.
  package func fileSize() throws(StorageError) -> Int64 {
    try read { connection throws(StorageError) in
      let pages = try connection.scalar("PRAGMA page_count")
      return try pages * connection.scalar("PRAGMA page_size")
    }
  }

  /// Writes a few bytes through to the disk; throws what a task would meet: `full`, `readOnly`, `corrupt` ...
  /// Waits for the write that runs.
  package func probeWrite() throws(StorageError) {
    try write { connection throws(StorageError) in
      try connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'write_probes'")
    }
  }

  /// Whether `probeWrite` succeeds.
  package func isWritable() -> Bool {
    do {
      try probeWrite()
      return true
    } catch {
      return false
    }
  }
}
