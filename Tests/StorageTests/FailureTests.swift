import Glibc
import Storage
import Testing

private func bytes(_ count: Int, _ seed: UInt8) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0) ^ seed }
}

private func isFull(_ error: StorageError?) -> Bool {
  if case .full? = error { return true }
  return false
}

private func isReadOnly(_ error: StorageError?) -> Bool {
  if case .readOnly? = error { return true }
  return false
}

private func isCorrupt(_ error: StorageError?) -> Bool {
  if case .corrupt? = error { return true }
  return false
}

/// A small file system of its own, or nil where mounting is not allowed.
private final class SmallDisk {
  let directory = TemporaryDirectory()
  var database: String { directory.database }

  init?(megabytes: Int) {
    guard mount("none", directory.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { return nil }
  }

  func makeReadOnly(_ readOnly: Bool) {
    #expect(
      mount("none", directory.path, "tmpfs", UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0), nil)
        == 0)
  }

  deinit {
    umount2(directory.path, Int32(MNT_DETACH))
  }
}

/// Posts tasks until one does not fit, then checks that nothing of it is there and that deleting makes room again.
private func fillUp(_ store: Store) throws {
  var accepted: [AcceptedTask] = []
  var refusal: StorageError?
  for index in 0..<200 where refusal == nil {
    do throws(StorageError) {
      accepted.append(
        try store.acceptTask(
          newTask("t\(index)", (0..<4).map { example("c\(index)", bytes(50_000, UInt8($0))) })))
    } catch {
      refusal = error
    }
  }
  #expect(isFull(refusal), "\(String(describing: refusal))")
  #expect(try store.tasks().map(\.id) == accepted.map(\.task.id))
  #expect(try store.exampleCount() == accepted.count * 4)
  #expect(try store.integrityCheck().isEmpty)
  let last = try #require(accepted.last)
  #expect(try store.exampleBytes(last.exampleIDs[3]) == bytes(50_000, 3))
}

@Test func beyondItsLargestSizeTheStoreIsFullAndWorksOnAfterADeletion() throws {
  let store = try TestStore(maximumFileSize: 2 << 20).store
  try fillUp(store)
  let first = try #require(try store.tasks().first)
  _ = try store.deleteTask(first.id, actor: "admin")
  #expect(store.isWritable())
  _ = try store.acceptTask(newTask("again", [example("again", bytes(50_000, 9))]))
  #expect(try store.integrityCheck().isEmpty)
}

@Test func onAFullDiskNothingIsHalfWrittenAndTheStoreWorksOnWhenThereIsRoom() throws {
  guard let disk = SmallDisk(megabytes: 4) else {
    print("skipped: mounting a file system is not allowed here")
    return
  }
  let filler = disk.directory.path + "/filler"
  let descriptor = open(filler, O_WRONLY | O_CREAT, 0o600)
  #expect(posix_fallocate(descriptor, 0, 1 << 20) == 0)
  close(descriptor)
  let store = try Store(path: disk.database, clock: TestClock().now)
  try fillUp(store)
  unlink(filler)
  #expect(store.isWritable())
  _ = try store.acceptTask(newTask("again", [example("again", bytes(50_000, 9))]))
  let count = try store.exampleCount()
  store.close()
  let reopened = try Store(path: disk.database, clock: TestClock().now)
  #expect(try reopened.exampleCount() == count)
  #expect(try reopened.integrityCheck().isEmpty)
  reopened.close()
}

@Test func aReadOnlyFileSystemIsRefusedClearlyAndWorksWhenWritableAgain() throws {
  guard let disk = SmallDisk(megabytes: 4) else {
    print("skipped: mounting a file system is not allowed here")
    return
  }
  let store = try Store(path: disk.database, clock: TestClock().now)
  _ = try store.acceptTask(newTask("one", [example("cat")]))
  store.close()
  disk.makeReadOnly(true)
  let error = #expect(throws: StorageError.self) { try Store(path: disk.database, clock: TestClock().now) }
  #expect(isReadOnly(error), "\(String(describing: error))")
  disk.makeReadOnly(false)
  let reopened = try Store(path: disk.database, clock: TestClock().now)
  #expect(try reopened.tasks().map(\.name) == ["one"])
  #expect(reopened.isWritable())
  reopened.close()
}

@Test func aReadOnlyFileIsRefusedClearly() throws {
  guard geteuid() != 0 else {
    print("skipped: permissions do not bind root")
    return
  }
  let test = try TestStore()
  test.store.close()
  chmod(test.directory.database, 0o400)
  let error = #expect(throws: StorageError.self) { try Store(path: test.directory.database, clock: TestClock().now) }
  #expect(isReadOnly(error), "\(String(describing: error))")
  chmod(test.directory.database, 0o600)
  let reopened = try Store(path: test.directory.database, clock: TestClock().now)
  #expect(reopened.isWritable())
}

/// Overwrites `count` bytes of a file at an offset.
private func scribble(_ path: String, at offset: Int, count: Int) {
  let descriptor = open(path, O_WRONLY)
  let noise = [UInt8](repeating: 0xa5, count: count)
  #expect(noise.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) } == count)
  close(descriptor)
}

@Test func aFileThatIsNoDatabaseIsCorrupt() throws {
  let test = try TestStore()
  test.store.close()
  scribble(test.directory.database, at: 0, count: 4096)
  let error = #expect(throws: StorageError.self) { try Store(path: test.directory.database, clock: TestClock().now) }
  #expect(isCorrupt(error), "\(String(describing: error))")
}

@Test func damagedPagesAreReportedAndNeverAnsweredFrom() throws {
  let test = try TestStore()
  for index in 0..<50 {
    _ = try test.store.acceptTask(newTask("t\(index)", [example("c\(index)", bytes(5_000, UInt8(index)))]))
  }
  let size = Int(try test.store.fileSize())
  test.store.close()
  // Everything behind the header and schema pages.
  scribble(test.directory.database, at: 8192 * 10, count: size - 8192 * 10)
  var reported: StorageError?
  do throws(StorageError) {
    let store = try Store(path: test.directory.database, clock: TestClock().now)
    #expect(try !store.integrityCheck().isEmpty)
    _ = try store.examples()
  } catch {
    reported = error
  }
  #expect(isCorrupt(reported), "\(String(describing: reported))")
}
