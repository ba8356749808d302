import CSQLite
import Glibc
import Storage
import Synchronization
import Testing

/// A directory of its own for one test, deleted with the value.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/storage-tests-XXXXXX".utf8CString)
    _ = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var database: String { path + "/clserver.db" }

  deinit {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { unlink(path + "/" + name) }
    }
    closedir(directory)
    rmdir(path)
  }
}

/// A clock that moves one millisecond at every reading, from 1000.
final class TestClock: Sendable {
  private let time = Atomic<Int64>(999)
  @Sendable func now() -> Int64 { time.add(1, ordering: .relaxed).newValue }
}

/// A new store in a directory of its own.
struct TestStore {
  let directory = TemporaryDirectory()
  let store: Store

  init(readers: Int = 2, maximumFileSize: Int64? = nil) throws {
    store = try Store(
      path: directory.database, readers: readers, maximumFileSize: maximumFileSize, clock: TestClock().now)
  }

  func reopened() throws -> Store {
    store.close()
    return try Store(path: directory.database, clock: TestClock().now)
  }
}

func example(
  _ label: String, _ bytes: [UInt8] = [1, 2, 3], name: String? = nil, group: String? = nil, heldOut: Bool = false
) -> NewExample {
  NewExample(
    label: label, name: name, group: group, bytes: bytes, sha256: SHA256.hash(bytes), isHeldOut: heldOut)
}

func newTask(
  _ name: String = "fruit", _ examples: [NewExample], extendExisting: Bool = false, rejected: [RejectedItem] = []
) -> NewTask {
  NewTask(
    name: name, learner: "closed-form", holdout: 0.2, extendExisting: extendExisting, rejected: rejected,
    examples: examples)
}

extension Store {
  /// Teaches what a task waits for, as the learner does, by a version that knows nothing: the task is ready and serves.
  func teach(_ taskID: Int64, job jobID: Int64) throws {
    #expect(try startTeaching(job: jobID, taskID: taskID, event: NewEvent(kind: "state", data: "{}")))
    let ready = TaskUpdate(
      taskID: taskID, state: .ready, isServing: true, event: NewEvent(kind: "ready", data: "{}"))
    _ = try publish(
      NewVersion(afterTaskID: taskID, manifest: "{}", artifacts: []), taskUpdates: [ready], finishing: jobID)
  }
}

/// Runs SQL on a file of its own accord, as another program would.
func runSQL(_ sql: String, on path: String) {
  var handle: OpaquePointer?
  #expect(sqlite3_open(path, &handle) == SQLITE_OK)
  #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle)))")
  sqlite3_close(handle)
}

/// Runs a query on a file of its own accord and takes `value` of each row.
private func query<Value>(_ sql: String, on path: String, _ value: (OpaquePointer?) -> Value) -> [Value] {
  var handle: OpaquePointer?
  var statement: OpaquePointer?
  sqlite3_open(path, &handle)
  sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
  defer {
    sqlite3_finalize(statement)
    sqlite3_close(handle)
  }
  var values: [Value] = []
  while sqlite3_step(statement) == SQLITE_ROW { values.append(value(statement)) }
  return values
}

/// The first column of the first row, or nil without one.
func queryInteger(_ sql: String, on path: String) -> Int64? {
  query(sql, on: path) { sqlite3_column_int64($0, 0) }.first
}

/// What `EXPLAIN QUERY PLAN` says of a statement, a line each.
func queryPlan(_ sql: String, on path: String) -> [String] {
  query("EXPLAIN QUERY PLAN \(sql)", on: path) { row in
    sqlite3_column_text(row, 3).map { String(cString: $0) } ?? ""
  }
}

/// Runs `body` on `count` threads of their own and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Job: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(index: Int, body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  var threads: [pthread_t] = []
  for index in 0..<count {
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Job(index: index, body: body)).toOpaque()
    let result = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
        job.body(job.index)
        return nil
      }, job)
    #expect(result == 0)
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
}

/// Whether the bytes of `text` are anywhere in a file.
func fileContains(_ text: String, _ path: String) -> Bool {
  guard let file = fopen(path, "r") else { return false }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 64 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return bytes[..<count].firstRange(of: Array(text.utf8)) != nil
}
