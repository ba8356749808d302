extension Migration {
  /// What polling a status reads, without the pages of the examples, and which removals a version knows of.
  ///
  /// `removal_count` is the counter `removals` when the version was trained: a version with a lower one than the
  /// counter holds features of something that was removed.
  static let indexes = Migration(
    number: 4, name: "indexes",
    sql: """
      CREATE INDEX examples_by_task_and_class ON examples (task_id, class_id, held_out);
      CREATE INDEX versions_by_after_task ON versions (after_task_id, id);
      ALTER TABLE versions ADD COLUMN removal_count INTEGER NOT NULL DEFAULT 0;
      """)
}
