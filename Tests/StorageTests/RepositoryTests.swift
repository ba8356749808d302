import Storage
import Testing

@Test func featuresAreACacheByBackbone() throws {
  let store = try TestStore().store
  let task = try store.acceptTask(newTask("one", (0..<4).map { example("cat", [UInt8($0)]) }))
  let ids = task.exampleIDs
  try store.storeFeatures([(ids[2], [5, 6]), (ids[0], [1, -2.5]), (999, [0, 0])], backboneKey: "a")
  try store.storeFeatures([(ids[0], [9])], backboneKey: "b")
  let stored = try store.features(backboneKey: "a")
  #expect(stored.exampleIDs == [ids[0], ids[2]])
  #expect(stored.width == 2)
  #expect(stored.values == [1, -2.5, 5, 6])
  try store.storeFeatures([(ids[0], [7, 8])], backboneKey: "a")
  #expect(try store.features(backboneKey: "a").values == [7, 8, 5, 6])
  try store.storeFeatures([(ids[1], [7])], backboneKey: "a")
  #expect(throws: StorageError.self) { try store.features(backboneKey: "a") }
  #expect(try store.features(backboneKey: "b").values == [9])
  try store.dropDerived()
  #expect(try store.features(backboneKey: "a").values.isEmpty)
  #expect(try store.features(backboneKey: "b").values.isEmpty)
}

@Test func eventsArePagedByID() throws {
  let store = try TestStore().store
  let one = try store.acceptTask(newTask("one", [example("cat")])).task.id
  let two = try store.acceptTask(newTask("two", [example("dog")])).task.id
  let first = try store.appendEvent(taskID: one, kind: "progress", data: "{\"done\":1}")
  _ = try store.appendEvent(taskID: two, kind: "progress", data: "{}")
  let second = try store.appendEvent(taskID: one, kind: "progress", data: "{\"done\":2}")
  #expect(second > first)
  #expect(try store.events(of: one, after: first).map(\.data) == ["{\"done\":2}"])
  #expect(try store.events(of: one, limit: 2).map(\.kind) == ["accepted", "progress"])
  #expect(try store.events(of: one, after: second).isEmpty)
  #expect(throws: StorageError.notFound(.task, "50")) { try store.appendEvent(taskID: 50, kind: "x", data: "{}") }
}

@Test func jobsMoveFromStateToState() throws {
  let test = try TestStore()
  let store = test.store
  let task = try store.acceptTask(newTask("one", [example("cat")])).task.id
  let jobs = try [
    #require(try store.pendingJobs().first).id, store.enqueueJob(kind: "teach", taskID: task),
    store.enqueueJob(kind: "rebuild"),
  ]
  #expect(try store.pendingJobs().map(\.id) == jobs)
  #expect(try store.startJob(jobs[0]))
  #expect(try !store.startJob(jobs[0]))
  #expect(try store.pendingJobs().map(\.id) == Array(jobs[1...]))
  #expect(try store.finishJob(jobs[0]))
  #expect(try !store.finishJob(jobs[0]))
  #expect(try store.startJob(jobs[1]))
  try store.releaseJobs()
  #expect(try store.job(jobs[1])?.state == .pending)
  #expect(try store.job(jobs[1])?.attempts == 0)
  #expect(try store.startJob(jobs[1]))
  #expect(try store.job(jobs[1])?.attempts == 1)
  #expect(try store.failJob(jobs[1], error: "twice"))
  #expect(try store.job(jobs[1])?.state == .failed)
  #expect(try store.startJob(jobs[2]))
  #expect(throws: StorageError.notFound(.task, "50")) { try store.enqueueJob(kind: "x", taskID: 50) }

  let reopened = try test.reopened()
  #expect(try reopened.recoverJobs() == RecoveredJobs(pending: 1, failed: 0))
  #expect(try reopened.pendingJobs().map(\.id) == [jobs[2]])
  #expect(try reopened.cancelJob(jobs[2]))
  #expect(try !reopened.cancelJob(jobs[2]))
  #expect(try reopened.job(jobs[2])?.state == .cancelled)
  #expect(try reopened.job(999) == nil)
}

@Test func theSameKeyInTheSameScopeIsAcceptedOnce() throws {
  let store = try TestStore().store
  func entry(_ scope: String) -> IdempotencyEntry<AcceptedTask> {
    IdempotencyEntry(key: "k", scope: scope, requestSHA256: [7]) { accepted in
      StoredResponse(status: 202, body: Array("\(accepted.task.id)".utf8), location: "/tasks/\(accepted.task.id)")
    }
  }
  #expect(try store.idempotencyRecord(key: "k", scope: "POST /tasks") == nil)
  let accepted = try store.acceptTask(newTask("one", [example("cat")]), idempotency: entry("POST /tasks"))
  let record = try #require(try store.idempotencyRecord(key: "k", scope: "POST /tasks"))
  #expect(record.response.location == "/tasks/\(accepted.task.id)")
  #expect(record.response.body == Array("\(accepted.task.id)".utf8))
  #expect(record.requestSHA256 == [7])
  #expect(throws: StorageError.conflict(.idempotencyKeyUsed("k"))) {
    try store.acceptTask(newTask("one", [example("cat")]), idempotency: entry("POST /tasks"))
  }
  _ = try store.acceptTask(newTask("two", [example("dog")]), idempotency: entry("POST /other"))
  let scope = "POST /tasks/1/examples"
  _ = try store.addExamples(
    to: accepted.task.id, [example("cat")],
    idempotency: IdempotencyEntry(key: "k", scope: scope, requestSHA256: []) { added in
      StoredResponse(status: 200, body: Array("\(added.exampleIDs.count)".utf8), location: nil)
    })
  #expect(try store.idempotencyRecord(key: "k", scope: scope)?.response.body == Array("1".utf8))
  #expect(try store.expireIdempotencyKeys(olderThan: record.createdAt) == 0)
  #expect(try store.expireIdempotencyKeys(olderThan: record.createdAt + 1) == 1)
  #expect(try store.idempotencyRecord(key: "k", scope: "POST /tasks") == nil)
}

@Test func keysAreFoundByHashUntilRevoked() throws {
  let store = try TestStore().store
  let hash = SHA256.hash(Array("secret".utf8))
  let id = try store.addAPIKey(name: "kitchen", role: "predict", sha256: hash, actor: "admin")
  #expect(try store.findAPIKey(sha256: hash)?.role == "predict")
  #expect(try store.findAPIKey(sha256: SHA256.hash([])) == nil)
  #expect(throws: StorageError.self) {
    try store.addAPIKey(name: "twice", role: "read", sha256: hash, actor: "admin")
  }
  try store.revokeAPIKey(id, actor: "admin")
  let revokedAt = try #require(try store.apiKeys().first?.revokedAt)
  try store.revokeAPIKey(id, actor: "admin")
  #expect(try store.apiKeys().map(\.revokedAt) == [revokedAt])
  #expect(try store.findAPIKey(sha256: hash) == nil)
  #expect(throws: StorageError.notFound(.apiKey, "9")) { try store.revokeAPIKey(9, actor: "admin") }
  try store.appendAudit(actor: "admin", action: "look", detail: "{}")
  #expect(try store.auditRecords().map(\.action) == ["look", "revoke API key", "add API key"])
  #expect(try store.auditRecords(limit: 1).count == 1)
}

@Test func aHealthyStoreSaysSo() throws {
  let test = try TestStore()
  #expect(try test.store.integrityCheck().isEmpty)
  #expect(test.store.isWritable())
  try test.store.checkpoint()
  #expect(try test.store.fileSize() > 8192)
  test.store.close()
  test.store.close()
  #expect(!test.store.isWritable())
  #expect(throws: StorageError.closed) { try test.store.tasks() }
  #expect(throws: StorageError.closed) { try test.store.probeWrite() }
}

@Test(arguments: [
  ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  (
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
  ),
  (
    String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
  ),
])
func sha256GivesTheStandardsExamples(text: String, hex: String) {
  func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
  let bytes = Array(text.utf8)
  #expect(hexadecimal(SHA256.hash(bytes)) == hex)
  // Pieces of every length up to two blocks end and begin everywhere in a block.
  var hasher = SHA256()
  var position = 0
  var size = 1
  while position < bytes.count {
    let end = min(position + size, bytes.count)
    bytes[position..<end].withUnsafeBytes { hasher.update($0) }
    position = end
    size = size % 129 + 1
  }
  #expect(hexadecimal(hasher.finalize()) == hex)
}
