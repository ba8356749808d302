import Glibc
import Storage
import Testing

/// Resident bytes of this process.
private func residentBytes() -> Int {
  let descriptor = open("/proc/self/statm", O_RDONLY)
  defer { close(descriptor) }
  var buffer = [UInt8](repeating: 0, count: 128)
  let count = max(0, read(descriptor, &buffer, buffer.count))
  let fields = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
  return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
}

@Test func aLargeTaskIsOneTransactionThatDoesNotGrowTheProcess() throws {
  let test = try TestStore()
  // One array shared by all examples: what grows is the store's.
  let photograph = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
  let sha256 = SHA256.hash(photograph)
  let count = 2_000
  let examples = (0..<count).map {
    NewExample(
      label: "c\($0 % 10)", name: "n\($0)", group: nil, bytes: photograph, sha256: sha256, isHeldOut: $0 % 5 == 0)
  }
  let before = residentBytes()
  let clock = ContinuousClock()
  let start = clock.now
  let accepted = try test.store.acceptTask(newTask("large", examples))
  let stored = clock.now
  for id in accepted.exampleIDs { #expect(try test.store.exampleBytes(id)?.count == photograph.count) }
  let read = clock.now
  let growth = residentBytes() - before
  print("\(count) x 100 kB: accepted in \(stored - start), read in \(read - stored), grew by \(growth >> 20) MiB")
  // 200 MB went through; other tests run beside this one.
  #expect(growth < 64 << 20)
  #expect(try test.store.classes(of: accepted.task.id).map(\.exampleCount) == Array(repeating: 200, count: 10))
  // Deleting overwrites every page: about as long as writing them took.
  let delete = clock.now
  _ = try test.store.deleteTask(accepted.task.id, actor: "admin")
  print("deleted in \(clock.now - delete)")
  #expect(residentBytes() - before < 64 << 20)
}
