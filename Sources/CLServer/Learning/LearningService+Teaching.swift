import CLModels
import JSONTree
import Storage
import Tensor

extension LearningService {
  /// Embeds what a task lacks, then lets its classes answer. Does nothing where the job was cancelled.
  func teach(_ taskID: Int64, job: Int64) throws(LearningFailure) {
    let examples = try storing { () throws(StorageError) in try store.examples(of: taskID) }
    let event = NewEvent(kind: "embedding", data: JSON.object(["total": .integer(examples.count)]).encodedText())
    guard
      try storing({ () throws(StorageError) in try store.startTeaching(job: job, taskID: taskID, event: event) })
    else { return }
    let sources = sources
    let missing = features.missing(examples.map(\.id), keys: sources.keys)
    progress.begin(taskID, phase: "embedding", done: examples.count - missing.count, total: examples.count)
    defer { progress.end(taskID) }
    events.notify(taskID)

    var done = examples.count - missing.count
    let goesOn = try embed(missing, sources) { count throws(LearningFailure) in
      done += count
      progress.advance(taskID, to: done)
      if let now = progress[taskID] { events.progress(taskID, now) }
      try runRebuilds(among: try storing { () throws(StorageError) in try store.pendingJobs() })
      return try storing { () throws(StorageError) in try store.job(job)?.state == .running }
    }
    guard goesOn else { return }
    progress.begin(taskID, phase: "fitting", done: 0, total: 1)
    try publish(adding: Addition(taskID: taskID, examples: Set(examples.map(\.id))), finishing: [job])
    events.notify(taskID)
  }

  /// Embeds examples in batches as background work. After each batch `step` hears how many it was and says whether to
  /// go on. Returns whether it went to the end. An example that cannot be read any more is left without features.
  func embed(
    _ ids: [Int64], _ sources: ModelSources, step: (Int) throws(LearningFailure) -> Bool = { _ in true }
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
      let rows = vectors(inputs, sources)
      for (position, key) in sources.embeddedKeys.enumerated() where sources.storedKeys.contains(key) {
        let column = rows.map { (exampleID: $0.exampleID, vector: $0.vectors[position]) }
        try storing { () throws(StorageError) in try store.storeFeatures(column, backboneKey: key) }
        features[key].insert(column)
      }
      metrics.embedded.increment(by: rows.count)
      if try !step(batch.count) { return false }
    }
    return true
  }

  /// One vector a key of `sources.embeddedKeys`.
  private func vectors(
    _ inputs: [(id: Int64, bytes: [UInt8])], _ sources: ModelSources
  ) -> [(exampleID: Int64, vectors: [[Float]])] {
    let rows = WaitableLock<[Int: [[Float]]]>([:])
    let (embedder, logger, pool) = (embedder, logger, pool)
    pool.forEach(inputs.count, priority: .background) { index in
      do throws(ImageError) {
        let image = try embedder.prepare(inputs[index].bytes)
        pool.yield()
        let vectors = sources.embed(image, embedder: embedder) { pool.yield() }
        rows.withLock { $0[index] = vectors }
      } catch {
        // It was readable when it was accepted: a limit is stricter now, or the file is damaged.
        logger.error(
          "an example cannot be read any more",
          [LogField("example", .integer(Int(inputs[index].id))), LogField("error", .text(error.description))])
      }
    }
    return rows.withLock { $0 }.sorted { $0.key < $1.key }.map { (inputs[$0.key].id, $0.value) }
  }
}
