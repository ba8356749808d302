extension Store {
  /// Stores an API key's hash (SHA-256, 32 bytes) and returns the key's id.
  package func addAPIKey(name: String, role: String, sha256: [UInt8], actor: String) throws(StorageError) -> Int64 {
    let now = now
    return try write { connection throws(StorageError) in
      let id = try connection.insert(
        "INSERT INTO api_keys (name, role, sha256, created_at) VALUES (?, ?, ?, ?)",
        [.text(name), .text(role), .blob(sha256), .integer(now)])
      try connection.appendAudit(actor: actor, action: "add API key", detail: "{\"id\":\(id)}", now: now)
      return id
    }
  }

  /// Revokes a key for good; a second time does nothing. Throws `notFound`.
  package func revokeAPIKey(_ id: Int64, actor: String) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      guard try connection.scalar("SELECT count(*) FROM api_keys WHERE id = ?", [.integer(id)]) == 1 else {
        throw .notFound(.apiKey, String(id))
      }
      try connection.execute(
        "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [.integer(now), .integer(id)])
      guard connection.changedRows == 1 else { return }
      try connection.appendAudit(actor: actor, action: "revoke API key", detail: "{\"id\":\(id)}", now: now)
    }
  }

  /// All keys, revoked ones included, oldest first.
  package func apiKeys() throws(StorageError) -> [APIKeyRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(apiKeyQuery) ORDER BY id") { row in row.apiKey }
    }
  }

  /// The key with this hash unless it was revoked.
  package func findAPIKey(sha256: [UInt8]) throws(StorageError) -> APIKeyRecord? {
    try read { connection throws(StorageError) in
      try connection.firstRow("\(apiKeyQuery) WHERE sha256 = ? AND revoked_at IS NULL", [.blob(sha256)]) { row in
        row.apiKey
      }
    }
  }

  /// Records who did what; removals, renames, keys and activations write their own row.
  package func appendAudit(actor: String, action: String, detail: String) throws(StorageError) {
    let now = now
    try write { connection throws(StorageError) in
      try connection.appendAudit(actor: actor, action: action, detail: detail, now: now)
    }
  }

  /// The newest audit rows, newest first.
  package func auditRecords(limit: Int = 100) throws(StorageError) -> [AuditRecord] {
    try read { connection throws(StorageError) in
      try connection.rows(
        "SELECT id, at, actor, action, detail FROM audit ORDER BY id DESC LIMIT ?", [.integer(max(0, limit))]
      ) { row in
        AuditRecord(
          id: row.integer(0), at: row.integer(1), actor: row.text(2), action: row.text(3), detail: row.text(4))
      }
    }
  }
}

private let apiKeyQuery = "SELECT id, name, role, created_at, revoked_at FROM api_keys"

extension Row {
  fileprivate var apiKey: APIKeyRecord {
    APIKeyRecord(
      id: integer(0), name: text(1), role: text(2), createdAt: integer(3), revokedAt: optionalInteger(4))
  }
}

extension Connection {
  func appendAudit(actor: String, action: String, detail: String, now: Int64) throws(StorageError) {
    try execute(
      "INSERT INTO audit (at, actor, action, detail) VALUES (?, ?, ?, ?)",
      [.integer(now), .text(actor), .text(action), .text(detail)])
  }
}
