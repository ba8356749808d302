extension Migration {
  /// What training in the background leaves: where it is, and what came of it.
  ///
  /// A job trains in stages, each with a checkpoint whose bytes are an artifact; they go when the job has ended. `note`
  /// says what it is a checkpoint of. `refinement` is a JSON object: what was tried
  /// for the task, how each candidate did, and what is served.
  static let refining = Migration(
    number: 5, name: "refining",
    sql: """
      CREATE TABLE checkpoints (
        job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        stage TEXT NOT NULL,
        note TEXT NOT NULL,
        sha256 BLOB NOT NULL REFERENCES artifacts (sha256),
        created_at INTEGER NOT NULL,
        PRIMARY KEY (job_id, stage)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX checkpoints_by_artifact ON checkpoints (sha256);
      ALTER TABLE tasks ADD COLUMN refinement TEXT;
      """)
}
