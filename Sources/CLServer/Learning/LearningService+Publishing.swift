import CLModels
import HTTP
package import Storage

extension LearningService {
  /// Makes a version of everything that serves, with one more task if given, and lets it answer.
  ///
  /// If something is removed while it is made, it is made again without it.
  func publish(adding taskID: Int64?, finishing job: Int64) throws(LearningFailure) {
    while true {
      if isStopping { throw .stopped }
      if try publishOnce(adding: taskID, finishing: job) { return }
    }
  }

  private func publishOnce(adding taskID: Int64?, finishing job: Int64) throws(LearningFailure) -> Bool {
    let start = ContinuousClock.now
    let removals = try storing { () throws(StorageError) in try store.removalCount() }
    let stored = try storing { () throws(StorageError) in (try store.classes(), try store.examples(), try store.tasks())
    }
    let (classes, examples, tasks) = stored
    let included = self.included(examples, tasks: tasks, adding: taskID)
    _ = try embed(features.missing(included.sorted()))

    let set = TrainingSet(classes: classes, examples: examples, included: included)
    let built: ModelBuilder.Built?
    do throws(LearnerError) {
      built = try builder.build(set)
    } catch {
      throw .unusable("\(error)")
    }
    guard let built else {
      if taskID != nil { throw .unusable("none of its examples is left to learn from") }
      serving.update { _ in nil }
      _ = try storing { () throws(StorageError) in try store.finishJob(job) }
      return true
    }
    // A task that was cancelled while it was fitted does not serve.
    guard try storing({ () throws(StorageError) in try store.job(job)?.state == .running }) else { return true }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    metrics.fitSeconds.observe(seconds)
    guard let version = try insert(built, set, tasks, removals, adding: taskID, finishing: job) else { return false }
    serving.update { previous in
      let model = ServingModel(
        version: version, classes: built.classes, head: built.head, temperature: built.temperature,
        examples: built.examples)
      return current(model, after: previous)
    }
    logger.info(
      "a version serves",
      [
        LogField("version", .integer(Int(version))), LogField("head", .text(built.manifest.head)),
        LogField("classes", .integer(built.classes.count)),
        LogField("examples", .integer(built.manifest.trainingExamples)), LogField("seconds", .number(seconds)),
      ])
    return true
  }

  /// The examples to learn from: those that serve, and those of the task that is added. Examples that were sent to a
  /// serving task and are still to be embedded wait for their own job.
  private func included(_ examples: [ExampleRecord], tasks: [TaskRecord], adding taskID: Int64?) -> Set<Int64> {
    if let served = serving.latest?.examples {
      return Set(examples.filter { served.contains($0.id) || $0.taskID == taskID }.map(\.id))
    }
    let serving = Set(tasks.filter(\.isServing).map(\.id))
    return Set(examples.filter { serving.contains($0.taskID) || $0.taskID == taskID }.map(\.id))
  }

  /// Stores the version; nil when something was removed meanwhile.
  private func insert(
    _ built: ModelBuilder.Built, _ set: TrainingSet, _ tasks: [TaskRecord], _ removals: Int64, adding taskID: Int64?,
    finishing job: Int64
  ) throws(LearningFailure) -> Int64? {
    let learned = Set(set.training.map(\.taskID))
    let newest = tasks.map(\.id).filter { learned.contains($0) }.max()
    let version = NewVersion(
      afterTaskID: newest, manifest: built.manifest.json, artifacts: built.artifacts,
      evaluations: built.evaluation.tasks, classEvaluations: built.evaluation.classes, removalCount: removals)
    var updates: [TaskUpdate] = []
    if let taskID {
      let event = NewEvent(kind: "ready", data: JSON.object(["head": .string(built.manifest.head)]).string)
      updates.append(TaskUpdate(taskID: taskID, state: .ready, isServing: true, event: event))
    }
    do throws(StorageError) {
      return try store.publish(
        version, taskUpdates: updates, keepVersions: keepVersions == 0 ? .max : keepVersions, finishing: job)
    } catch .conflict(.removedMeanwhile) {
      return nil
    } catch .notFound {
      // The task went while it was learned.
      return nil
    } catch {
      throw .storage(error)
    }
  }

  /// The model as things stand now: names and removals that came after the version's classes were read.
  private func current(_ model: ServingModel, after previous: ServingModel?) -> ServingModel? {
    guard let classes = try? store.classes() else { return model }
    let names = Dictionary(uniqueKeysWithValues: classes.map { ($0.id, $0.name) })
    let gone = model.classes.map(\.id).filter { names[$0] == nil }
    var model = model.removing(classes: gone, examples: [])
    for known in model.classes {
      if let name = names[known.id], name != known.name { model = model.renaming(known.id, to: name) }
    }
    return model
  }

  /// Lets the stored version answer again after a restart; asks for a new one where the settings have changed.
  package func restore() throws(StorageError) {
    try store.recoverJobs()
    let stored = try store.features(backboneKey: embedder.key)
    features.insert(
      stored.exampleIDs.enumerated().map { index, id in
        (id, Array(stored.values[index * stored.width..<(index + 1) * stored.width]))
      })
    guard let version = try store.activeVersion() else { return }
    guard let manifest = VersionManifest(json: version.record.manifest), manifest.features == embedder.key,
      manifest.setting == ModelBuilder.setting(builder.options),
      let model = try restored(version, manifest)
    else {
      _ = try store.enqueueJob(kind: JobKind.rebuild)
      logger.warning("the stored version was made with other settings or is not whole; it is made again")
      return
    }
    serving.update { _ in model }
  }

  private func restored(_ version: LoadedVersion, _ manifest: VersionManifest) throws(StorageError) -> ServingModel? {
    func bytes(_ kind: String) -> [UInt8]? { version.artifacts.first { $0.kind == kind }?.bytes }
    guard let encoded = bytes(VersionManifest.ArtifactKind.head), let head = try? HeadCoding.decode(encoded),
      head.classCount == manifest.classes.count,
      let examples = bytes(VersionManifest.ArtifactKind.examples).flatMap({ VersionManifest.decodeExamples($0) })
    else { return nil }
    let names = Dictionary(uniqueKeysWithValues: try store.classes().map { ($0.id, $0.name) })
    let classes = manifest.classes.map { ServingClass(id: $0, name: names[$0] ?? "") }
    return ServingModel(
      version: version.record.id, classes: classes, head: head, temperature: manifest.temperature,
      removed: Set(manifest.classes.filter { names[$0] == nil }), examples: examples)
  }
}
