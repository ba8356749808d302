extension Migration {
  /// What was taught, and the work it causes.
  ///
  /// A class belongs to the task that brought it; an example to the task it was sent with, which may be a later one.
  /// The bytes of an example come last in its row: a listing then never reads the pages that hold them.
  /// The counter `removals` counts removals, so that a version trained on removed examples is never published.
  static let teaching = Migration(
    number: 1, name: "teaching",
    sql: """
      CREATE TABLE tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        learner TEXT NOT NULL,
        state TEXT NOT NULL,
        serving INTEGER NOT NULL DEFAULT 0,
        holdout REAL,
        settings TEXT,
        extend_existing INTEGER NOT NULL,
        error TEXT,
        created_at INTEGER NOT NULL,
        ready_at INTEGER
      ) STRICT;

      CREATE TABLE rejected_items (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        item_index INTEGER NOT NULL,
        name TEXT,
        reason TEXT NOT NULL
      ) STRICT;
      CREATE INDEX rejected_items_by_task ON rejected_items (task_id);

      CREATE TABLE classes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        name TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX classes_by_task ON classes (task_id);

      CREATE TABLE examples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        class_id INTEGER NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
        name TEXT,
        group_name TEXT,
        held_out INTEGER NOT NULL,
        sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
        fingerprint BLOB,
        created_at INTEGER NOT NULL,
        bytes BLOB NOT NULL
      ) STRICT;
      CREATE INDEX examples_by_task ON examples (task_id);
      CREATE INDEX examples_by_class ON examples (class_id, held_out);

      CREATE TABLE features (
        backbone_key TEXT NOT NULL,
        example_id INTEGER NOT NULL REFERENCES examples (id) ON DELETE CASCADE,
        vector BLOB NOT NULL,
        PRIMARY KEY (backbone_key, example_id)
      ) STRICT;
      CREATE INDEX features_by_example ON features (example_id);

      CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        task_id INTEGER REFERENCES tasks (id) ON DELETE CASCADE,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX jobs_by_task ON jobs (task_id);
      CREATE INDEX jobs_by_state ON jobs (state);

      CREATE TABLE task_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        data TEXT NOT NULL,
        created_at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX task_events_by_task ON task_events (task_id, id);

      CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO counters VALUES ('removals', 0), ('write_probes', 0);
      """)
}
