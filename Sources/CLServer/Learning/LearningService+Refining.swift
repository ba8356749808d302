import CLModels
import JSONTree
import Storage
import Synchronization
import Tensor

extension LearningService {
  /// Trains a task's prompts while its classes answer already, and lets what helps answer from then on.
  ///
  /// Between any two steps it makes way: for removals and new tasks, which are done first, and for a cancellation or the
  /// end of the process. What it is trained on is fixed at the start; when one of these examples is removed it starts
  /// again without it.
  func refine(_ taskID: Int64, job: Int64) throws(LearningFailure) {
    let event = NewEvent(kind: "training", data: "{}")
    guard
      try storing({ () throws(StorageError) in try store.startRefining(job: job, taskID: taskID, event: event) })
    else { return }
    events.notify(taskID)
    defer { progress.end(taskID) }
    while try !refineOnce(taskID, job: job) {}
    events.notify(taskID)
  }

  /// What a round of training works with.
  struct RefiningRound {
    let taskID: Int64
    let job: Int64
    let removals: Int64
    let set: TrainingSet
    /// The class of each training example.
    let labels: [Int]
    /// Classes that the task has examples of.
    let own: Set<Int>
    let seed: UInt64
    let start: ContinuousClock.Instant
    /// What answers when the round begins.
    let current: ModelSources
  }

  /// False when something was removed meanwhile.
  private func refineOnce(_ taskID: Int64, job: Int64) throws(LearningFailure) -> Bool {
    let round = try round(taskID, job: job)
    let isHeldOutEnough = Self.canJudge(round.set)
    var outcome = Refinement(judges: isHeldOutEnough ? .heldOut : .crossFit, seed: round.seed)
    if let reason = obstacle(round) {
      outcome.reason = reason
      return try finish(round, outcome)
    }
    let judges = isHeldOutEnough ? [] : CrossFitting.judges(of: round.set, shadow: round.current.shadow)
    guard isHeldOutEnough || judges.count >= Self.fewestJudges else {
      outcome.reason = "\(judges.count) examples are too few to tell whether prompts help"
      return try finish(round, outcome)
    }
    let learners = round.set.training.indices.filter { !judges.contains($0) }
    let judging = Judging(
      learners: learners, records: isHeldOutEnough ? round.set.heldOut : judges.sorted().map { round.set.training[$0] })
    let base = isHeldOutEnough ? round.current.bank : round.current.shadow

    // What needs no training comes first: it wins where nothing is better.
    guard var judged = try measure(round, base, [.backboneOnly], training: nil, judging) else { return false }
    var baseline = 0
    let served = round.current.mixture.limited(to: base)
    if served.usesPrompts {
      guard let more = try measure(round, base, [served], training: "served", judging) else { return false }
      judged += more
      baseline = 1
    }
    var trainings: [TrainedBank] = []
    for recipe in trainer.options.recipes {
      let stage = "\(isHeldOutEnough ? "prompts" : "shadow")-\(recipe.name)"
      guard let trained = try train(round, base, learners: learners, recipe, stage: stage),
        let more = try measure(round, trained.bank, SourceMixture.candidates, training: recipe.name, judging)
      else { return false }
      trainings.append(trained)
      judged += more
      // Where a little training does not help much, much training harms.
      let gain = (more.map(\.candidate.correct).max() ?? 0) - judged[0].candidate.correct
      if Double(gain) < Self.gainForMore * Double(judging.records.count) { break }
    }
    outcome.candidates = judged.map(\.candidate)
    outcome.note(trainings[trainings.count - 1])
    let (best, reason) = Self.choose(judged, baseline: baseline)
    outcome.served = best ?? baseline
    outcome.reason = reason
    guard let best else { return try finish(round, outcome) }
    outcome.isAdopted = true

    var (bank, shadow) = (round.current.bank, round.current.shadow)
    if let number = trainings.firstIndex(where: { $0.recipe.name == judged[best].candidate.training }) {
      outcome.note(trainings[number])
      if isHeldOutEnough {
        bank = trainings[number].bank
      } else {
        shadow = trainings[number].bank
        let recipe = trainings[number].recipe
        guard
          let trained = try train(
            round, bank, learners: Array(round.set.training.indices), recipe, stage: "prompts-\(recipe.name)")
        else { return false }
        outcome.note(trained)
        bank = trained.bank
      }
    }
    let next = ModelSources(
      bank: bank, shadow: shadow, mixture: judged[best].candidate.mixture, backbone: embedder.backbone,
      backboneKey: embedder.key)
    return try adopt(round, next, outcome)
  }

  /// The examples of a round are those that serve when it begins. They are kept with the job, so that it is the same
  /// round after a restart, also when tasks came meanwhile.
  private func round(_ taskID: Int64, job: Int64) throws(LearningFailure) -> RefiningRound {
    let start = ContinuousClock.now
    let stage = "examples"
    let snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
    let note = "\(snapshot.removalCount)"
    let kept = try storing { () throws(StorageError) in try store.checkpoint(job: job, stage: stage) }
    var included = serving.latest?.examples ?? []
    if let kept, kept.note == note, let ids = VersionManifest.decodeExamples(kept.bytes) {
      included = ids
    } else {
      let bytes = VersionManifest.encode(examples: included)
      let runs = try storing { () throws(StorageError) in
        try store.saveCheckpoint(job: job, stage: stage, note: note, bytes: bytes)
      }
      if !runs { throw .cancelled }
    }
    let set = TrainingSet(classes: snapshot.classes, examples: snapshot.examples, included: included)
    let columns = Dictionary(uniqueKeysWithValues: set.classes.enumerated().map { ($1.id, $0) })
    let labels = set.training.compactMap { columns[$0.classID] }
    return RefiningRound(
      taskID: taskID, job: job, removals: snapshot.removalCount, set: set, labels: labels,
      own: Set(zip(set.training, labels).filter { $0.0.taskID == taskID }.map(\.1)),
      seed: trainer.options.training.seed &* 1_000_003 &+ UInt64(taskID), start: start, current: sources)
  }

  /// Why nothing can be trained; nil when something can.
  private func obstacle(_ round: RefiningRound) -> String? {
    let (set, limit) = (round.set, trainer.options.largestSet)
    if round.own.isEmpty { return "none of its examples serves" }
    if set.training.count > limit {
      return "\(set.training.count) examples are more than prompts are trained with (prompt_examples, \(limit))"
    }
    let counts = Dictionary(grouping: round.labels, by: { $0 }).mapValues(\.count)
    if counts.values.count(where: { $0 > 1 }) < 2 { return "fewer than two classes have two examples" }
    return nil
  }

  // MARK: Training

  struct TrainedBank {
    let bank: PromptBank
    let recipe: PromptRecipe
    let losses: [Float]
  }

  /// Trains a task group and a global one on some of the training examples, from the last checkpoint of the stage if it
  /// is one of the same training. Nil when something was removed meanwhile.
  private func train(
    _ round: RefiningRound, _ bank: PromptBank, learners: [Int], _ recipe: PromptRecipe, stage: String
  ) throws(LearningFailure) -> TrainedBank? {
    let chosen = try exemplars(round, learners)
    let ids = chosen.map { round.set.training[$0].id }
    guard try cacheTokens(ids, round) else { return nil }
    let reader = TokenReader(cache: trainer.tokens, embedder: embedder, store: store)
    let earlier = trainer.earlierRows(bank, of: { reader.tokens(of: ids[$0]) }, count: ids.count)
    guard let features = features[embedder.key].matrix(ids) else { return nil }
    let training: PromptTraining
    do throws(BackboneError) {
      training = try trainer.training(
        bank, features: features, labels: chosen.map { round.labels[$0] }, preferred: round.own, recipe: recipe,
        seed: round.seed, tokens: { (reader.tokens(of: ids[$0]), earlier?[$0]) })
    } catch {
      throw .unusable("\(error)")
    }
    let note = Self.note(ids, bank, recipe, trainer.options)
    if let saved = try storing({ () throws(StorageError) in try store.checkpoint(job: round.job, stage: stage) }),
      saved.note == note, let state = try? PromptTraining.State(saved.bytes)
    {
      _ = training.restore(state)
    }
    func save() throws(LearningFailure) {
      let bytes = training.state.encoded()
      let runs = try storing { () throws(StorageError) in
        try store.saveCheckpoint(job: round.job, stage: stage, note: note, bytes: bytes)
      }
      if !runs { throw .cancelled }
    }

    progress.begin(round.taskID, phase: "training", done: training.state.step, total: recipe.steps)
    if training.state.step == 0 { try save() }
    var saved = ContinuousClock.now
    while !training.isDone {
      let start = ContinuousClock.now
      let report = training.step()
      if let report {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        progress.report(
          round.taskID, loss: report.loss, imagesPerSecond: Double(report.examples) / max(seconds, 1e-6))
      }
      progress.advance(round.taskID, to: training.state.step)
      if let now = progress[round.taskID] { events.progress(round.taskID, now) }
      if isStopping || ContinuousClock.now - saved > .seconds(trainer.options.checkpointSeconds) || training.isDone {
        try save()
        saved = .now
      }
      guard try makeWay(round) else { return nil }
    }
    return TrainedBank(
      bank: trainer.learned(bank, from: training.state, taskID: round.taskID, examples: ids), recipe: recipe,
      losses: training.state.losses)
  }

  /// What a checkpoint is of: restored, training must go on as if it had not stopped.
  private static func note(
    _ ids: [Int64], _ bank: PromptBank, _ recipe: PromptRecipe, _ options: PromptTrainerOptions
  ) -> String {
    let text = "\(ids) \(recipe) \(options.training) \(options.lambda) \(options.rows)"
    return SHA256.hash(Array(text.utf8) + bank.encoded()).hexadecimal
  }

  /// Lets removals and new tasks be done first. False when something was removed; throws when the job was cancelled or
  /// the process ends.
  func makeWay(_ round: RefiningRound) throws(LearningFailure) -> Bool {
    if isStopping { throw .stopped }
    while try runQuickJobs(among: try storing { () throws(StorageError) in try store.pendingJobs() }) {
      if isStopping { throw .stopped }
    }
    guard try storing({ () throws(StorageError) in try store.job(round.job)?.state == .running }) else {
      throw .cancelled
    }
    return try storing { () throws(StorageError) in try store.removalCount() } == round.removals
  }

  /// Positions of the examples to train on: the task's own, and of every other class those that herding takes.
  private func exemplars(_ round: RefiningRound, _ learners: [Int]) throws(LearningFailure) -> [Int] {
    var chosen: [Int] = []
    for (label, members) in Dictionary(grouping: learners, by: { round.labels[$0] }).sorted(by: { $0.key < $1.key }) {
      // An episode takes few of a class; more than this adds memory and no variety to speak of.
      let limit = trainer.options.exemplars * (round.own.contains(label) ? 5 : 1)
      guard members.count > limit, let rows = features[embedder.key].matrix(members.map { round.set.training[$0].id })
      else {
        chosen += members
        continue
      }
      chosen += Herding.choose(rows, count: limit).map { members[$0] }
    }
    return chosen.sorted()
  }

  /// Computes the frozen tokens that are not kept. False when something was removed meanwhile.
  private func cacheTokens(_ ids: [Int64], _ round: RefiningRound) throws(LearningFailure) -> Bool {
    let missing = ids.filter { !trainer.tokens.contains($0) }
    progress.begin(round.taskID, phase: "caching", done: ids.count - missing.count, total: ids.count)
    let reader = TokenReader(cache: trainer.tokens, embedder: embedder, store: store)
    let batchSize = 8 * pool.workers
    for start in stride(from: 0, to: missing.count, by: batchSize) {
      let batch = Array(missing[start..<min(missing.count, start + batchSize)])
      let pool = pool
      pool.forEach(batch.count, priority: .background) { index in
        _ = reader.compute(batch[index]) { pool.yield() }
      }
      progress.advance(round.taskID, to: ids.count - missing.count + min(missing.count, start + batchSize))
      if let now = progress[round.taskID] { events.progress(round.taskID, now) }
      guard try makeWay(round) else { return false }
    }
    return true
  }

  /// Forgets examples: what is kept of them in memory.
  package func forget(_ ids: [Int64]) {
    features.remove(ids)
    trainer.tokens.remove(ids)
  }
}
