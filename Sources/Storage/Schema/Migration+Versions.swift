extension Migration {
  /// What was learned, and how well.
  ///
  /// `after_task_id` is no foreign key: the row that a removed task left in the accuracy matrix keeps its number.
  static let versions = Migration(
    number: 2, name: "versions",
    sql: """
      CREATE TABLE artifacts (
        sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
        bytes BLOB NOT NULL
      ) STRICT;

      CREATE TABLE versions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at INTEGER NOT NULL,
        after_task_id INTEGER,
        manifest TEXT NOT NULL,
        active INTEGER NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX versions_one_active ON versions (active) WHERE active = 1;

      CREATE TABLE version_artifacts (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        sha256 BLOB NOT NULL REFERENCES artifacts (sha256),
        PRIMARY KEY (version_id, position)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX version_artifacts_by_artifact ON version_artifacts (sha256);

      CREATE TABLE evaluations (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        correct INTEGER NOT NULL,
        total INTEGER NOT NULL,
        loo_correct INTEGER,
        loo_total INTEGER,
        note TEXT,
        PRIMARY KEY (version_id, task_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX evaluations_by_task ON evaluations (task_id);

      CREATE TABLE class_evaluations (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        class_id INTEGER NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
        correct INTEGER NOT NULL,
        total INTEGER NOT NULL,
        loo_correct INTEGER,
        loo_total INTEGER,
        PRIMARY KEY (version_id, class_id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX class_evaluations_by_class ON class_evaluations (class_id);
      """)
}
