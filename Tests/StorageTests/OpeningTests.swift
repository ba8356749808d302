import Glibc
import Storage
import Testing

private let openClock = TestClock()

private func open(_ path: String, migrations: [Migration] = Migration.all) throws(StorageError) -> Store {
  try Store(path: path, migrations: migrations, clock: openClock.now)
}

@Test func anEmptyDirectoryGetsTheWholeSchema() throws {
  let directory = TemporaryDirectory()
  try open(directory.database).close()
  #expect(queryInteger("PRAGMA user_version", on: directory.database) == Int64(Migration.all.count))
  #expect(Migration.all.map(\.number) == Array(1...Migration.all.count))
  #expect(
    queryInteger(
      "SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE TABLE%' AND sql NOT LIKE '%STRICT%' AND name NOT LIKE 'sqlite%'",
      on: directory.database) == 0)
}

@Test(arguments: 1..<Migration.all.count)
func anOlderDatabaseIsBroughtUpToDateWithItsRows(number: Int) throws {
  let directory = TemporaryDirectory()
  try open(directory.database, migrations: Array(Migration.all[..<number])).close()
  runSQL(
    """
    INSERT INTO tasks (name, learner, state, extend_existing, created_at) VALUES ('old', 'pop', 'ready', 0, 5);
    INSERT INTO classes (task_id, name, created_at) VALUES (1, 'cat', 5);
    """, on: directory.database)
  let store = try open(directory.database)
  #expect(try store.tasks().map(\.name) == ["old"])
  #expect(try store.classes().map(\.name) == ["cat"])
  _ = try store.publish(NewVersion(afterTaskID: 1, manifest: "{}", artifacts: []))
  #expect(try store.integrityCheck().isEmpty)
  store.close()
  #expect(queryInteger("PRAGMA user_version", on: directory.database) == Int64(Migration.all.count))
}

@Test func aFailingMigrationLeavesTheVersionBeforeIt() throws {
  let directory = TemporaryDirectory()
  let broken = Migration(
    number: Migration.all.count + 1, name: "broken", sql: "CREATE TABLE extra (a INTEGER) STRICT; SELECT nonsense;")
  #expect(throws: StorageError.self) { try open(directory.database, migrations: Migration.all + [broken]) }
  #expect(queryInteger("PRAGMA user_version", on: directory.database) == Int64(Migration.all.count))
  #expect(queryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'", on: directory.database) == 0)
  #expect(try open(directory.database).tasks().isEmpty)
}

@Test func aDatabaseOfANewerProgramIsRefusedAndLeftAlone() throws {
  let directory = TemporaryDirectory()
  let newer = Migration(number: Migration.all.count + 1, name: "newer", sql: "CREATE TABLE extra (a INTEGER) STRICT;")
  try open(directory.database, migrations: Migration.all + [newer]).close()
  #expect(throws: StorageError.tooNew(found: newer.number, known: Migration.all.count)) {
    try open(directory.database)
  }
  #expect(queryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'", on: directory.database) == 1)
}

@Test func aDatabaseOfAnotherProgramIsRefusedAndLeftAlone() throws {
  let directory = TemporaryDirectory()
  runSQL("CREATE TABLE notes (text TEXT)", on: directory.database)
  #expect(throws: StorageError.foreign(path: directory.database)) { try open(directory.database) }
  #expect(queryInteger("SELECT count(*) FROM sqlite_schema", on: directory.database) == 1)
  #expect(access(directory.database + "-wal", F_OK) != 0)
}

@Test func aSecondOpenerIsRefusedUntilTheFirstCloses() throws {
  let directory = TemporaryDirectory()
  let first = try open(directory.database)
  #expect(throws: StorageError.inUse(path: directory.database + ".lock", processID: getpid())) {
    try open(directory.database)
  }
  #expect(first.isWritable())
  first.close()
  #expect(try open(directory.database).tasks().isEmpty)
}

@Test func aMissingDirectoryIsNamed() throws {
  let error = #expect(throws: StorageError.self) { try open("/nonexistent/clserver.db") }
  guard case .cannotOpen(let failure)? = error else {
    Issue.record("unexpected \(String(describing: error))")
    return
  }
  #expect(failure.systemError == ENOENT)
}
