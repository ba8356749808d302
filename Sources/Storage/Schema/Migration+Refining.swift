extension Migration {
  /// What training in the background leaves: where it is, and what came of it.
  ///
  /// A checkpoint's bytes are an artifact; it goes when its job has ended. `refinement` is a JSON object: what was tried
  /// for the task, how each candidate did, and what is served.
  static let refining = Migration(
    number: 5, name: "refining",
    sql: """
      CREATE TABLE checkpoints (
        job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        note TEXT NOT NULL,
        sha256 BLOB NOT NULL REFERENCES artifacts (sha256),
        created_at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX checkpoints_by_artifact ON checkpoints (sha256);
      ALTER TABLE tasks ADD COLUMN refinement TEXT;
      """)
}
