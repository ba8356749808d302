extension Store {
  /// The version that answers, with its artifacts, or nil before the first. Throws `corrupt` where an artifact is
  /// not what was stored.
  package func activeVersion() throws(StorageError) -> LoadedVersion? {
    try read { connection throws(StorageError) in
      try connection.loaded(connection.activeRecord())
    }
  }

  /// The version that answers without its artifacts, or nil. Cheap enough to poll.
  package func activeRecord() throws(StorageError) -> VersionRecord? {
    try read { connection throws(StorageError) in try connection.activeRecord() }
  }

  /// A version with its artifacts, or nil. Throws `corrupt` like `activeVersion`.
  package func version(_ id: Int64) throws(StorageError) -> LoadedVersion? {
    try read { connection throws(StorageError) in
      try connection.loaded(connection.version(id))
    }
  }

  /// The newest versions, newest first, without artifacts.
  package func versions(limit: Int = 100) throws(StorageError) -> [VersionRecord] {
    try read { connection throws(StorageError) in
      try connection.rows("\(versionQuery) ORDER BY id DESC LIMIT ?", [.integer(max(0, limit))]) { row in
        row.version
      }
    }
  }
}

private let versionQuery = """
  SELECT id, created_at, after_task_id, manifest, active,
    EXISTS (SELECT 1 FROM version_artifacts WHERE version_id = versions.id)
  FROM versions
  """

extension Row {
  fileprivate var version: VersionRecord {
    VersionRecord(
      id: integer(0), createdAt: integer(1), afterTaskID: optionalInteger(2), manifest: text(3), isActive: bool(4),
      hasArtifacts: bool(5))
  }
}

extension Connection {
  func version(_ id: Int64) throws(StorageError) -> VersionRecord? {
    try firstRow("\(versionQuery) WHERE id = ?", [.integer(id)]) { row in row.version }
  }

  func activeRecord() throws(StorageError) -> VersionRecord? {
    try firstRow("\(versionQuery) WHERE active = 1") { row in row.version }
  }

  fileprivate func loaded(_ record: VersionRecord?) throws(StorageError) -> LoadedVersion? {
    guard let record else { return nil }
    let artifacts = try rows(
      """
      SELECT version_artifacts.kind, artifacts.sha256, artifacts.bytes
      FROM version_artifacts JOIN artifacts USING (sha256) WHERE version_id = ? ORDER BY position
      """, [.integer(record.id)]
    ) { row in Artifact(kind: row.text(0), bytes: row.blob(2), sha256: row.blob(1)) }
    for artifact in artifacts where SHA256.hash(artifact.bytes) != artifact.sha256 {
      throw .corruptValue("artifact \(artifact.kind) of version \(record.id) does not match its SHA-256")
    }
    return LoadedVersion(record: record, artifacts: artifacts)
  }
}
