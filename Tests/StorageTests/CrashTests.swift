import Glibc
import Storage
import Synchronization
import Testing

/// Posts tasks for ever, printing the id of each once it is acknowledged: the process that `kill -9` ends.
/// The example's bytes follow from the task's name, so that the survivor can check them.
@Test(.enabled(if: getenv("STORAGE_CRASH_CHILD") != nil))
func crashingChild() throws {
  guard let variable = getenv("STORAGE_CRASH_CHILD") else { return }
  let store = try Store(path: String(cString: variable), clock: TestClock().now)
  try store.recoverJobs()
  var number = try store.tasks().count
  while true {
    let accepted = try store.acceptTask(crashTask(number))
    let line = Array("\(accepted.task.id)\n".utf8)
    _ = line.withUnsafeBytes { write(9, $0.baseAddress, $0.count) }
    _ = try store.startJob(accepted.jobID)
    try store.storeFeatures(accepted.exampleIDs.map { ($0, [1, 2, 3]) }, backboneKey: "k")
    _ = try store.publish(
      NewVersion(
        afterTaskID: accepted.task.id, manifest: "{}",
        artifacts: [NewArtifact(kind: "head", bytes: crashBytes(number, 30_000))]), keepVersions: 2,
      finishing: accepted.jobID)
    number += 1
  }
}

private func crashBytes(_ number: Int, _ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
}

private func crashTask(_ number: Int) -> NewTask {
  newTask("t\(number)", (0..<3).map { example("c\(number)-\($0)", crashBytes(number + $0, 20_000)) })
}

/// What must hold of a database after a crash: sound, a gapless prefix of the tasks, whole, `acknowledged` among them.
private func checkSurvivor(_ path: String, acknowledged: Int) throws {
  let store = try Store(path: path, clock: TestClock().now)
  defer { store.close() }
  #expect(try store.integrityCheck().isEmpty)
  let tasks = try store.tasks()
  #expect(tasks.count >= acknowledged)
  #expect(tasks.map(\.name) == (0..<tasks.count).map { "t\($0)" })
  for (number, task) in tasks.enumerated() {
    let examples = try store.examples(of: task.id)
    #expect(examples.count == 3)
    if number >= tasks.count - 2 {
      for (index, example) in examples.enumerated() {
        #expect(try store.exampleBytes(example.id) == crashBytes(number + index, 20_000))
      }
    }
  }
  try store.recoverJobs()
  let waiting = try store.pendingJobs().compactMap(\.taskID)
  let published = try store.versions(limit: 10_000).compactMap(\.afterTaskID)
  #expect(Set(waiting + published) == Set(tasks.map(\.id)))
  #expect(try store.activeVersion()?.record.afterTaskID == published.first)
}

@Test func everyAcknowledgedTaskSurvivesAKillAtAnyMoment() throws {
  var random = SystemRandomNumberGenerator()
  let directory = TemporaryDirectory()
  var acknowledged = 0
  for round in 0..<12 {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let child = try spawnChild(database: directory.database, output: ends[1])
    close(ends[1])
    // The first acknowledgement says that the child is up; then a random while, up to some tasks' time.
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var lines = 0
    let first = read(ends[0], &buffer, buffer.count)
    #expect(first > 0, "round \(round): the child wrote nothing")
    if first > 0 { lines += buffer[..<first].count { $0 == 0x0a } }
    usleep(UInt32.random(in: 0..<60_000, using: &random))
    kill(child, SIGKILL)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    while true {
      let count = read(ends[0], &buffer, buffer.count)
      guard count > 0 else { break }
      lines += buffer[..<count].count { $0 == 0x0a }
    }
    close(ends[0])
    acknowledged += lines
    try checkSurvivor(directory.database, acknowledged: acknowledged)
    // What was committed but not acknowledged before the kill counts from now on.
    let store = try Store(path: directory.database, clock: TestClock().now)
    acknowledged = try store.tasks().count
    store.close()
  }
  #expect(acknowledged >= 12)
}

/// Starts this test program again with nothing but `crashingChild`, descriptor 9 being `output`.
private func spawnChild(database: String, output: Int32) throws -> pid_t {
  let arguments = [
    CommandLine.arguments[0], "--testing-library", "swift-testing", "--filter", "crashingChild",
  ]
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  posix_spawn_file_actions_adddup2(&actions, output, 9)
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
  defer { posix_spawn_file_actions_destroy(&actions) }
  var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
  var environment: [UnsafeMutablePointer<CChar>?] = [strdup("STORAGE_CRASH_CHILD=\(database)")]
  var position = 0
  while let variable = environ[position] {
    environment.append(strdup(String(cString: variable)))
    position += 1
  }
  environment.append(nil)
  defer { for pointer in argv + environment { free(pointer) } }
  var child: pid_t = 0
  try #require(posix_spawn(&child, "/proc/self/exe", &actions, nil, &argv, &environment) == 0)
  return child
}

/// Power loss keeps a prefix of the log's unsynced tail, or noise in its place. A copy of the files at a random moment,
/// cut at a random place behind what was acknowledged or scribbled on there, stands for it. (The tests stay below the
/// size at which the log is moved into the database, so that the pair of copies belongs together.)
@Test func everyAcknowledgedTaskSurvivesALogThatEndsAnywhere() throws {
  var random = SystemRandomNumberGenerator()
  let test = try TestStore()
  let log = test.directory.database + "-wal"
  for number in 0..<12 {
    let accepted = try test.store.acceptTask(crashTask(number))
    _ = try test.store.publish(
      NewVersion(afterTaskID: accepted.task.id, manifest: "{}", artifacts: []), finishing: nil)
    _ = try test.store.cancelJob(accepted.jobID)
    let synced = fileBytes(log)
    let copy = TemporaryDirectory()
    writeFile(copy.database, fileBytes(test.directory.database))
    // The next transaction has begun to write and the power goes.
    var torn = synced
    let tail = Int.random(in: 1..<20_000, using: &random)
    for _ in 0..<tail { torn.append(number % 2 == 0 ? 0 : UInt8.random(in: 0...255, using: &random)) }
    writeFile(copy.database + "-wal", torn)
    try checkSurvivor(copy.database, acknowledged: number + 1)

    let cut = TemporaryDirectory()
    writeFile(cut.database, fileBytes(test.directory.database))
    writeFile(cut.database + "-wal", Array(synced[..<Int.random(in: 0..<synced.count, using: &random)]))
    let store = try Store(path: cut.database, clock: TestClock().now)
    #expect(try store.integrityCheck().isEmpty)
    let tasks = try store.tasks()
    #expect(tasks.map(\.name) == (0..<tasks.count).map { "t\($0)" })
    #expect(try store.exampleCount() == 3 * tasks.count)
    store.close()
  }
}

private func fileBytes(_ path: String) -> [UInt8] {
  let descriptor = open(path, O_RDONLY)
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: max(0, Int(lseek(descriptor, 0, SEEK_END))))
  let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
  #expect(count == bytes.count)
  return bytes
}

private func writeFile(_ path: String, _ bytes: [UInt8]) {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  defer { close(descriptor) }
  #expect(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
}
