import CLModels
import HTTP
package import Storage
import Synchronization

/// What is known of the stored version's features when another version must be made of it.
struct CarriedSources {
  /// They fit this backbone: the next version reads them on.
  var sources: ModelSources?
  /// Kinds of sources there were that fit no more (another backbone, resolution or number of blocks): all tasks of such a
  /// kind's learner are trained anew.
  var lost: Set<SourceKind> = []
}

extension LearningService {
  /// What a version adds to the one before.
  struct Addition {
    let taskID: Int64
    let examples: Set<Int64>
  }

  /// Makes a version of everything that serves, with one more task if given, and lets it answer.
  ///
  /// If something is removed while it is made, it is made again without it; after a few rounds it is published all the
  /// same, with the removed classes out of the answers: the removal's own rebuild is waiting.
  func publish(adding addition: Addition?, finishing jobs: [Int64]) throws(LearningFailure) {
    for round in 1... {
      if isStopping { throw .stopped }
      if try publishOnce(adding: addition, finishing: jobs, evenIfStale: round > 3) { return }
    }
  }

  private func publishOnce(
    adding addition: Addition?, finishing jobs: [Int64], evenIfStale: Bool
  ) throws(LearningFailure) -> Bool {
    let start = ContinuousClock.now
    let snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
    var included = included(snapshot, adding: addition)
    // Prompts that saw what is no longer known go, until they are trained anew.
    let taught = snapshot.examples.count { included.contains($0.id) && !$0.isHeldOut }
    let sources = sources(known: Set(snapshot.examples.map(\.id)), count: taught)
    _ = try embed(features.missing(included.sorted(), keys: sources.keys), sources)
    included.subtract(features.missing(included.sorted(), keys: sources.keys))

    let set = TrainingSet(classes: snapshot.classes, examples: snapshot.examples, included: included)
    let outcome: ModelBuilder.Outcome
    do throws(LearnerError) {
      outcome = try build(
        set, sources, unseen: (addition?.examples ?? []).subtracting(sources.bank.examples)
      ).outcome
    } catch {
      throw .unusable("\(error)")
    }
    switch outcome {
    case .stale: return false
    case .nothingToLearn:
      if addition != nil { throw .unusable("none of its examples is left to learn from") }
      try storing { () throws(StorageError) in try store.deactivate(finishing: jobs) }
      serving.serve(nil)
      try dropUnreadFeatures()
      return true
    case .built(let built):
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      metrics.fitSeconds.observe(seconds)
      let version = version(built, set, snapshot, adding: addition, checked: !evenIfStale)
      let learners = learners(snapshot)
      let retrained = tasksToRetrain(
        learners.filter { version.servingTasks?.contains($0.key) == true }, for: built.sources,
        isUnread: addition == nil && !built.sources.mixture.isTrained)
      guard
        let id = try insert(
          version, adding: addition, isRefined: addition.map { learners[$0.taskID] != nil } ?? false,
          retrained: retrained, finishing: jobs)
      else { return false }
      serve(built, as: id, seconds: seconds)
      carried.withLock { $0 = CarriedSources() }
      try dropUnreadFeatures()
      return true
    }
  }

  /// A version that reads what the one before did, if that does not harm what is added.
  ///
  /// Nobody has judged the sources by classes that are new. They never saw the new examples either, so leaving one out says
  /// honestly how these are answered with them and without: where they lose more than by chance (McNemar), the version
  /// reads the backbone alone, until prompts are trained that know the new classes.
  ///
  /// - Parameter unseen: examples that neither trained nor judged the sources.
  func build(
    _ set: TrainingSet, _ sources: ModelSources, unseen: Set<Int64>
  ) throws(LearnerError) -> (outcome: ModelBuilder.Outcome, isHarm: Bool) {
    guard sources.mixture.isTrained, set.training.contains(where: { unseen.contains($0.id) }) else {
      return (try builder.build(set, sources: sources), false)
    }
    // A softmax head cannot leave an example out, and its rows were judged with other classes beside them.
    let carried = sources.reading(sources.mixture.withRidge)
    let outcome = try builder.build(set, sources: carried, unseen: unseen)
    guard case .built(let read) = outcome,
      case .built(let plain) = try builder.build(set, sources: sources.reading(.backboneOnly), unseen: unseen)
    else { return (outcome, false) }
    let isHarm = Self.isHarm(zip(read.unseenAnswers, plain.unseenAnswers))
    return (.built(isHarm ? plain : read), isHarm)
  }

  /// Forgets features of prompts that nothing reads.
  func dropUnreadFeatures() throws(LearningFailure) {
    let gone = features.keep(sources.storedKeys)
    try storing { () throws(StorageError) in try store.deleteFeatures(backboneKeys: gone) }
  }

  /// What the active version reads; before the first, the backbone alone.
  var sources: ModelSources {
    serving.latest?.sources ?? carried.withLock { $0.sources }
      ?? ModelSources(
        bank: trainers.emptyBank, shadow: trainers.emptyBank, mixture: .backboneOnly, backbone: embedder.backbone,
        backboneKey: embedder.key)
  }

  /// The same without the prompts that were trained on examples which are not `known`; the backbone alone as soon as one
  /// of them goes, or with more examples than prompts are read with.
  func sources(known: Set<Int64>, count: Int) -> ModelSources {
    let current = sources
    var (bank, shadow) = (current.bank.keeping(known), current.shadow.keeping(known))
    // What judges must go on being of the same tasks as what it judges.
    if current.bank.tasks == current.shadow.tasks { (bank, shadow) = bank.common(with: shadow) }
    let readsOn = bank == current.bank && count <= trainers.largestSet
    if readsOn, shadow == current.shadow { return current }
    return ModelSources(
      bank: bank, shadow: shadow, mixture: readsOn ? current.mixture : .backboneOnly, temperature: current.temperature,
      backbone: embedder.backbone, backboneKey: embedder.key)
  }

  /// The examples to learn from: those that serve, and those of the task that is added. Examples that were sent to a
  /// serving task and are still to be embedded wait for their own job.
  private func included(_ snapshot: TrainingSnapshot, adding addition: Addition?) -> Set<Int64> {
    let added = addition?.examples ?? []
    if let served = serving.latest?.examples {
      return Set(snapshot.examples.map(\.id).filter { served.contains($0) || added.contains($0) })
    }
    let serving = Set(snapshot.tasks.filter(\.isServing).map(\.id))
    return Set(snapshot.examples.filter { serving.contains($0.taskID) || added.contains($0.id) }.map(\.id))
  }

  private func version(
    _ built: ModelBuilder.Built, _ set: TrainingSet, _ snapshot: TrainingSnapshot, adding addition: Addition?,
    checked: Bool
  ) -> NewVersion {
    let tasks = Set((set.training + set.heldOut).map(\.taskID))
    let isNew = addition.map { added in !snapshot.tasks.contains { $0.id == added.taskID && $0.isServing } } ?? false
    return NewVersion(
      afterTaskID: isNew ? addition?.taskID : tasks.max(), manifest: built.manifest.json,
      artifacts: built.artifacts + VersionManifest.artifacts(of: built.sources),
      evaluations: built.evaluation.tasks, classEvaluations: built.evaluation.classes,
      removalCount: checked ? snapshot.removalCount : nil, servingTasks: tasks)
  }

  /// The trainer of every task whose learner trains something.
  func learners(_ snapshot: TrainingSnapshot) -> [Int64: any SourceTrainer] {
    snapshot.tasks.reduce(into: [:]) { $0[$1.id] = trainers[$1.learner] }
  }

  /// The tasks to train again because the next version has less than the one before.
  private func tasksToRetrain(
    _ serving: [Int64: any SourceTrainer], for next: ModelSources, isUnread: Bool
  ) -> [Int64] {
    let carried = carried.withLock { $0 }
    let bank = sources.bank
    return Retraining.tasks(
      of: SourceKind.allCases.map { kind in
        let tasks = serving.filter { $1.kind == kind }.map(\.key)
        return carried.lost.contains(kind)
          ? .init(serving: tasks, before: tasks, after: [])
          : .init(
            serving: tasks, before: bank.tasks(of: kind), after: next.bank.tasks(of: kind))
      }, isUnread: isUnread)
  }

  /// Stores the version; nil when something was removed meanwhile.
  private func insert(
    _ version: NewVersion, adding addition: Addition?, isRefined: Bool, retrained: [Int64], finishing jobs: [Int64]
  ) throws(LearningFailure) -> Int64? {
    let event = NewEvent(kind: isRefined ? "live" : "ready", data: "{}")
    let updates = addition.map {
      [TaskUpdate(taskID: $0.taskID, state: isRefined ? .training : .ready, isServing: true, event: event)]
    }
    do throws(StorageError) {
      return try store.publish(
        version, taskUpdates: updates ?? [], keepVersions: keepVersions == 0 ? .max : keepVersions,
        refined: isRefined ? addition?.taskID : nil, retrained: retrained, finishing: jobs.last,
        alsoFinishing: Array(jobs.dropLast()))
    } catch {
      switch error {
      case .conflict(.removedMeanwhile): return nil
      case .conflict(.jobEnded), .notFound: throw .cancelled
      default: throw .storage(error)
      }
    }
  }

  func serve(_ built: ModelBuilder.Built, as version: Int64, seconds: Double) {
    serving.serve(
      ServingModel(
        version: version, classes: built.classes, head: built.head, sources: built.sources,
        temperature: built.temperature, examples: built.examples))
    logger.info(
      "a version serves",
      [
        LogField("version", .integer(Int(version))), LogField("head", .text(built.manifest.head)),
        LogField("sources", .text(built.sources.mixture.name)),
        LogField("classes", .integer(built.classes.count)),
        LogField("examples", .integer(built.manifest.trainingExamples)), LogField("seconds", .number(seconds)),
      ])
  }

  /// Lets the stored version answer again after a restart; asks for a new one where the settings have changed, or where
  /// what can be made again from the examples is damaged.
  package func restore() throws(StorageError) {
    _ = try store.recoverJobs()
    do throws(StorageError) {
      if try !restoreDerived() {
        logger.warning("the stored version was made with other settings; it is made again")
        _ = try store.enqueueJob(kind: JobKind.rebuild)
      }
    } catch {
      guard case .corrupt = error else { throw error }
      logger.error("stored features or versions are damaged; they are made again", [LogField("error", "\(error)")])
      // What was read into memory before the damage was met is stored no more.
      _ = features.keep([])
      let snapshot = try store.trainingSnapshot()
      let serving = Set(snapshot.tasks.filter(\.isServing).map(\.id))
      try store.dropDerived(retrained: learners(snapshot).keys.filter { serving.contains($0) }.sorted())
    }
  }

  /// False where a new version has to be made.
  private func restoreDerived() throws(StorageError) -> Bool {
    try load(embedder.key)
    guard let version = try store.activeVersion() else { return true }
    guard let manifest = VersionManifest(json: version.record.manifest), manifest.features == embedder.key else {
      carried.withLock { $0.lost = VersionManifest.sourceKinds(of: version.artifacts.map(\.kind)) }
      return false
    }
    let stored = storedSources(version, manifest)
    guard stored.lost.isEmpty, let model = try restored(version, manifest, stored.sources) else {
      try store.deletePromptFeatures(backboneKey: embedder.key, keeping: stored.sources.keys)
      for key in stored.sources.keys where key != embedder.key { try load(key) }
      carried.withLock { $0 = CarriedSources(sources: stored.sources, lost: stored.lost) }
      return false
    }
    try store.deletePromptFeatures(backboneKey: embedder.key, keeping: model.sources.keys)
    for key in model.sources.keys where key != embedder.key { try load(key) }
    guard manifest.setting == ModelBuilder.setting(builder.options) else {
      carried.withLock { $0.sources = model.sources }
      return false
    }
    serving.serve(model)
    return true
  }

  /// Takes the stored features of a key into memory.
  private func load(_ key: String) throws(StorageError) {
    let stored = try store.features(backboneKey: key)
    features[key].insert(
      stored.exampleIDs.enumerated().map { index, id in
        (id, Array(stored.values[index * stored.width..<(index + 1) * stored.width]))
      })
  }

  /// What a version read, as far as it fits, and the kinds of what does not.
  private func storedSources(
    _ version: LoadedVersion, _ manifest: VersionManifest
  ) -> (sources: ModelSources, lost: Set<SourceKind>) {
    var lost: Set<SourceKind> = []
    let description = embedder.backbone.description
    func bank(_ promptKind: String, _ expertKind: String) -> SourceBank {
      var bank = trainers.emptyBank
      if let stored = version.artifacts.first(where: { $0.kind == promptKind }) {
        if let prompts = try? PromptBank(stored.bytes), prompts.fits(description) {
          bank.prompts = prompts
        } else {
          lost.insert(.prompts)
        }
      }
      let singles = version.artifacts.filter { $0.kind == expertKind }.map { try? ExpertBank($0.bytes) }
      if let experts = bank.experts.adding(singles), experts.fits(description) {
        bank.experts = experts
      } else {
        lost.insert(.experts)
      }
      return bank
    }
    typealias Kind = VersionManifest.ArtifactKind
    let (trained, shadow) = (bank(Kind.prompts, Kind.expert), bank(Kind.shadow, Kind.shadowExpert))
    // Nobody has judged a mixture without the part of it that is lost.
    let isCut = lost.contains(where: manifest.mixture.uses)
    return (
      ModelSources(
        bank: trained, shadow: shadow, mixture: isCut ? .backboneOnly : manifest.mixture,
        temperature: manifest.temperature, backbone: embedder.backbone, backboneKey: embedder.key), lost
    )
  }

  private func restored(
    _ version: LoadedVersion, _ manifest: VersionManifest, _ sources: ModelSources
  ) throws(StorageError) -> ServingModel? {
    func bytes(_ kind: String) -> [UInt8]? { version.artifacts.first { $0.kind == kind }?.bytes }
    guard let encoded = bytes(VersionManifest.ArtifactKind.head), let head = try? HeadCoding.decode(encoded),
      head.classCount == manifest.classes.count,
      let examples = bytes(VersionManifest.ArtifactKind.examples).flatMap({ VersionManifest.decodeExamples($0) })
    else { return nil }
    guard head.featureWidth == sources.kernels.parts.map(\.columns.upperBound).max() else { return nil }
    let names = Dictionary(uniqueKeysWithValues: try store.classes().map { ($0.id, $0.name) })
    let classes = manifest.classes.map { ServingClass(id: $0, name: names[$0] ?? "") }
    return ServingModel(
      version: version.record.id, classes: classes, head: head, sources: sources,
      temperature: manifest.temperature, removed: Set(manifest.classes.filter { names[$0] == nil }), examples: examples)
  }
}
