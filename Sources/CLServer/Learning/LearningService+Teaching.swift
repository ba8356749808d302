import CLModels
import HTTP
import Storage
import Tensor

extension LearningService {
  /// Embeds what a task lacks, then lets its classes answer.
  func teach(_ taskID: Int64, job: Int64) throws(LearningFailure) {
    guard let task = try storing({ () throws(StorageError) in try store.task(taskID) }), task.state != .cancelled
    else {
      _ = try storing { () throws(StorageError) in try store.finishJob(job) }
      return
    }
    let examples = try storing { () throws(StorageError) in try store.examples(of: taskID) }
    let missing = features.missing(examples.map(\.id))
    progress.begin(taskID, phase: "embedding", done: examples.count - missing.count, total: examples.count)
    defer { progress.end(taskID) }
    let event = NewEvent(kind: "embedding", data: JSON.object(["total": .integer(examples.count)]).string)
    try storing { () throws(StorageError) in try store.setTaskState(taskID, .embedding, event: event) }
    events.notify(taskID)

    var done = examples.count - missing.count
    let goesOn = try embed(missing) { count throws(LearningFailure) in
      done += count
      progress.advance(taskID, to: done)
      if let now = progress[taskID] { events.progress(taskID, now) }
      try runRebuilds(among: try storing { () throws(StorageError) in try store.pendingJobs() })
      return try storing { () throws(StorageError) in try store.job(job)?.state == .running }
    }
    guard goesOn else { return }
    progress.begin(taskID, phase: "fitting", done: 0, total: 1)
    try publish(adding: taskID, finishing: job)
    events.notify(taskID)
  }

  /// Embeds examples in batches as background work. After each batch `step` hears how many it was and says whether to
  /// go on. Returns whether it went to the end.
  func embed(
    _ ids: [Int64], step: (Int) throws(LearningFailure) -> Bool = { _ in true }
  ) throws(LearningFailure) -> Bool {
    let batchSize = 8 * pool.workers
    var rest = ids[...]
    while !rest.isEmpty {
      if isStopping { throw .stopped }
      let batch = Array(rest.prefix(batchSize))
      rest = rest.dropFirst(batchSize)
      var inputs: [(id: Int64, bytes: [UInt8])] = []
      for id in batch {
        // An example that is gone was removed meanwhile.
        if let bytes = try storing({ () throws(StorageError) in try store.exampleBytes(id) }) {
          inputs.append((id, bytes))
        }
      }
      let rows = try vectors(inputs)
      try storing { () throws(StorageError) in try store.storeFeatures(rows, backboneKey: embedder.key) }
      features.insert(rows)
      metrics.embedded.increment(by: rows.count)
      if try !step(batch.count) { return false }
    }
    return true
  }

  private func vectors(
    _ inputs: [(id: Int64, bytes: [UInt8])]
  ) throws(LearningFailure) -> [(exampleID: Int64, vector: [Float])] {
    let results = WaitableLock<[Int: Result<[Float], ImageError>]>([:])
    let embedder = embedder
    pool.forEach(inputs.count, priority: .background) { index in
      let result: Result<[Float], ImageError>
      do throws(ImageError) {
        result = .success(embedder.embed([try embedder.prepare(inputs[index].bytes)]).storage)
      } catch {
        result = .failure(error)
      }
      results.withLock { $0[index] = result }
    }
    var rows: [(exampleID: Int64, vector: [Float])] = []
    for (index, result) in results.withLock({ $0 }) {
      switch result {
      case .success(let vector): rows.append((inputs[index].id, vector))
      case .failure(let error): throw .unusable("example \(inputs[index].id) cannot be read any more: \(error)")
      }
    }
    return rows
  }
}
