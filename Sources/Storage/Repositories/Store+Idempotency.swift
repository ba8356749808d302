extension Store {
  /// What was stored for a key in a scope (method and path), or nil.
  package func idempotencyRecord(key: String, scope: String) throws(StorageError) -> IdempotencyRecord? {
    try read { connection throws(StorageError) in
      try connection.firstRow(
        """
        SELECT request_sha256, status, body, location, created_at FROM idempotency_keys
        WHERE scope = ? AND key = ?
        """, [.text(scope), .text(key)]
      ) { row in
        IdempotencyRecord(
          key: key, scope: scope, requestSHA256: row.blob(0),
          response: StoredResponse(status: row.int(1), body: row.blob(2), location: row.optionalText(3)),
          createdAt: row.integer(4))
      }
    }
  }

  /// Forgets the keys stored before `time` (milliseconds since 1970); returns how many.
  @discardableResult
  package func expireIdempotencyKeys(olderThan time: Int64) throws(StorageError) -> Int {
    try write { connection throws(StorageError) in
      try connection.execute("DELETE FROM idempotency_keys WHERE created_at < ?", [.integer(time)])
      return connection.changedRows
    }
  }
}

extension Connection {
  /// Throws `conflict(.idempotencyKeyUsed)` where the key was used in this scope.
  func checkUnused<Outcome>(_ entry: IdempotencyEntry<Outcome>?) throws(StorageError) {
    guard let entry else { return }
    let used = try scalar(
      "SELECT count(*) FROM idempotency_keys WHERE scope = ? AND key = ?", [.text(entry.scope), .text(entry.key)])
    guard used == 0 else { throw .conflict(.idempotencyKeyUsed(entry.key)) }
  }

  /// Stores the answer to be given to the same request again.
  func record<Outcome>(
    _ entry: IdempotencyEntry<Outcome>?, outcome: Outcome, now: Int64
  ) throws(StorageError) {
    guard let entry else { return }
    let response = entry.response(outcome)
    try execute(
      """
      INSERT INTO idempotency_keys (scope, key, request_sha256, status, body, location, created_at)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(entry.scope), .text(entry.key), .blob(entry.requestSHA256), .integer(response.status),
        .blob(response.body), .optional(response.location), .integer(now),
      ])
  }
}
