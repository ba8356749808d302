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

/// In a process of its own, since other tests run beside this one and what grows must be the store's.
@Test func aLargeTaskIsOneTransactionThatDoesNotGrowTheProcess() async {
  await #expect(processExitsWith: .success) {
    let test = try TestStore()
    // One array shared by all examples.
    let photograph = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let sha256 = SHA256.hash(photograph)
    let count = 2_000
    let examples = (0..<count).map {
      NewExample(
        label: "c\($0 % 10)", name: "n\($0)", group: nil, bytes: photograph, sha256: sha256, isHeldOut: $0 % 5 == 0)
    }
    let before = residentBytes()
    let accepted = try test.store.acceptTask(newTask("large", examples))
    for id in accepted.exampleIDs { #expect(try test.store.exampleBytes(id)?.count == photograph.count) }
    // 200 MB went through.
    #expect(residentBytes() - before < 64 << 20)
    #expect(try test.store.classes(of: accepted.task.id).map(\.exampleCount) == Array(repeating: 200, count: 10))
    // Deleting overwrites every page.
    _ = try test.store.deleteTask(accepted.task.id, actor: "admin")
    #expect(residentBytes() - before < 64 << 20)
  }
}
