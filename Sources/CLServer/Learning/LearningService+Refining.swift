import CLModels
import JSONTree
import Storage
import Synchronization
import Tensor

extension LearningService {
  /// Trains a task's prompts or expert while its classes answer already, and lets what helps answer from then on.
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
    while true {
      let before = try storing { () throws(StorageError) in try store.removalCount() }
      if try refineOnce(taskID, job: job) { break }
      if isStopping { throw .stopped }
      // Another round is for a removal; what fails without one fails again.
      if try storing({ () throws(StorageError) in try store.removalCount() }) == before {
        throw .unusable("features of its examples are missing")
      }
    }
    events.notify(taskID)
  }

  /// What a round of training works with.
  struct RefiningRound {
    let taskID: Int64
    let job: Int64
    /// Of the kind that the task's learner trains.
    let trainer: any SourceTrainer
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

    /// How many training examples each class has.
    var counts: [Int: Int] { Dictionary(grouping: labels, by: { $0 }).mapValues(\.count) }

    /// Whether three quarters of the task's training examples are of these classes.
    func isMostOfTask(_ classes: some Sequence<Int>) -> Bool {
      let counts = counts
      func total(_ classes: some Sequence<Int>) -> Int { classes.reduce(0) { $0 + counts[$1, default: 0] } }
      return 4 * total(classes) >= 3 * total(own)
    }

    /// Whether what is held out can judge: every class of the task has an example there, and there are enough in all.
    var canHeldOutJudge: Bool {
      let judged = Set(set.heldOut.map(\.classID))
      return set.heldOut.count >= 100 && own.allSatisfy { judged.contains(set.classes[$0].id) }
    }
  }

  /// False when something was removed meanwhile.
  private func refineOnce(_ taskID: Int64, job: Int64) throws(LearningFailure) -> Bool {
    let round = try round(taskID, job: job)
    let isHeldOutEnough = round.canHeldOutJudge
    var outcome = Refinement(judges: isHeldOutEnough ? .heldOut : .crossFit, seed: round.seed)
    if let reason = obstacle(round) {
      outcome.reason = reason
      return try finish(round, outcome)
    }
    let judges = isHeldOutEnough ? [] : CrossFitting.judges(of: round.set, shadow: round.current.shadow)
    if let reason = lackOfJudges(round, judges, isHeldOut: isHeldOutEnough) {
      outcome.reason = reason
      return try finish(round, outcome)
    }
    let learners = round.set.training.indices.filter { !judges.contains($0) }
    let judging = Judging(
      learners: learners, records: isHeldOutEnough ? round.set.heldOut : judges.sorted().map { round.set.training[$0] })
    var (bank, shadow) = (round.current.bank, round.current.shadow)
    // Where nothing that was trained serves, what is judged and what answers start from the same again.
    if !isHeldOutEnough, !round.current.mixture.isTrained { (bank, shadow) = bank.common(with: shadow) }
    let base = isHeldOutEnough ? bank : shadow

    let served = round.current.mixture.limited(to: base)
    let limit = round.trainer.obstacle(to: round.taskID, on: bank)
    if let limit, served.isTrained || bank.isEmpty {
      outcome.reason = limit
      return try finish(round, outcome)
    }

    // What needs no training comes first: it wins where nothing is better.
    guard var judged = try measure(round, base, [.backboneOnly], training: nil, judging) else { return false }
    let known = Self.known(served, base)
    if !known.isEmpty {
      let training = served.isTrained ? "served" : "earlier"
      guard let more = try measure(round, base, known, training: training, judging) else { return false }
      judged += more
    }
    var trainings: [TrainedBank] = []
    for recipe in limit == nil ? round.trainer.options.recipes : [] {
      let stage = "\(isHeldOutEnough ? round.trainer.kind.rawValue : "shadow")-\(recipe.name)"
      guard let trained = try train(round, base, learners: learners, recipe, stage: stage),
        let more = try measure(
          round, trained.bank, SourceMixture.candidates(of: trained.bank).filter { $0.uses(round.trainer.kind) },
          training: recipe.name, judging)
      else { return false }
      trainings.append(trained)
      judged += more
      // Where a little training does not help much, much training harms; and where what corrects the backbone does not,
      // what starts from nothing harms.
      let gain = (more.map(\.candidate.correct).max() ?? 0) - judged[0].candidate.correct
      if Double(gain) < Self.gainForMore * Double(judging.records.count) { break }
    }
    outcome.candidates = judged.map(\.candidate)
    if let last = trainings.last { outcome.note(last) }
    // A task that came meanwhile may have left the backbone alone.
    let baseline = served.isTrained && sources.mixture.isTrained ? 1 : 0
    let (best, reason) = Self.choose(judged, baseline: baseline)
    outcome.served = best ?? baseline
    outcome.reason = best == nil ? limit ?? reason : nil
    guard let best else { return try finish(round, outcome) }
    outcome.isAdopted = true

    if let number = trainings.firstIndex(where: { $0.recipe.name == judged[best].candidate.training }) {
      outcome.note(trainings[number])
      if isHeldOutEnough {
        bank = trainings[number].bank
        shadow = shadow.dropping(round.taskID)
      } else {
        shadow = trainings[number].bank
        let recipe = trainings[number].recipe
        guard
          let trained = try train(
            round, bank, learners: Array(round.set.training.indices), recipe,
            stage: "\(round.trainer.kind.rawValue)-\(recipe.name)")
        else { return false }
        outcome.note(trained)
        bank = trained.bank
      }
    }
    let next = ModelSources(
      bank: bank, shadow: shadow, mixture: judged[best].candidate.mixture, temperature: judged[best].temperature,
      backbone: embedder.backbone, backboneKey: embedder.key)
    return try adopt(round, next, outcome)
  }

  /// The stage whose checkpoint has the examples of a round.
  static let examplesStage = "examples"

  /// The examples of a round are those that serve when it begins. They are kept with the job, so that it is the same
  /// round after a restart, also when tasks came meanwhile.
  private func round(_ taskID: Int64, job: Int64) throws(LearningFailure) -> RefiningRound {
    let start = ContinuousClock.now
    let stage = Self.examplesStage
    let snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
    guard let task = snapshot.tasks.first(where: { $0.id == taskID }) else { throw .cancelled }
    guard let trainer = trainers[task.learner] else {
      throw .unusable("its learner, \(task.learner), is not known to this version")
    }
    let note = "\(snapshot.removalCount)"
    let kept = try checkpoint(job, stage)
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
    included.subtract(features.missing(included.sorted(), keys: [embedder.key]))
    let set = TrainingSet(classes: snapshot.classes, examples: snapshot.examples, included: included)
    let columns = Dictionary(uniqueKeysWithValues: set.classes.enumerated().map { ($1.id, $0) })
    let labels = set.training.compactMap { columns[$0.classID] }
    // A removal may be known here before the version without it is made: no prompt that saw it goes on.
    let known = Set(snapshot.examples.map(\.id))
    return RefiningRound(
      taskID: taskID, job: job, trainer: trainer, removals: snapshot.removalCount, set: set, labels: labels,
      own: Set(zip(set.training, labels).filter { $0.0.taskID == taskID }.map(\.1)),
      seed: trainer.options.training.seed &* 1_000_003 &+ UInt64(taskID), start: start,
      current: sources(known: known, count: set.training.count))
  }

  /// Why nothing can be trained; nil when something can.
  private func obstacle(_ round: RefiningRound) -> String? {
    let (set, limit) = (round.set, trainers.largestSet)
    if round.own.isEmpty { return "none of its examples serves" }
    if set.training.count > limit {
      return
        "\(set.training.count) examples are more than \(round.trainer.kind.rawValue) are trained with (prompt_examples, \(limit))"
    }
    let counts = round.counts
    if counts.values.count(where: { $0 > 1 }) < 2 { return "fewer than two classes have two examples" }
    let held = Dictionary(grouping: set.heldOut.map(\.classID), by: { $0 }).mapValues(\.count)
    let large = round.own.filter {
      counts[$0, default: 0] + held[set.classes[$0].id, default: 0] >= CrossFitting.fewest
    }
    return round.isMostOfTask(large) ? nil : Self.tooFew(round)
  }

  private static func tooFew(_ round: RefiningRound) -> String {
    "most classes of the task must have \(CrossFitting.fewest) examples, not too similar ones, to tell if "
      + "\(round.trainer.kind.rawValue) help"
  }

  /// Why those who would judge cannot; nil when they can. Most of the task's own classes must be among them.
  private func lackOfJudges(_ round: RefiningRound, _ judges: Set<Int>, isHeldOut: Bool) -> String? {
    if isHeldOut { return nil }
    if judges.count < round.trainer.options.fewestJudges {
      return "\(judges.count) examples are too few to tell whether \(round.trainer.kind.rawValue) help (prompt_judges)"
    }
    if !round.isMostOfTask(round.own.intersection(judges.map { round.labels[$0] })) { return Self.tooFew(round) }
    if round.current.mixture.isTrained, round.current.bank.tasks != round.current.shadow.tasks {
      // What serves cannot be measured on examples that it was trained on.
      return "what serves was chosen on held-out examples, of which the task has too few"
    }
    return nil
  }

  // MARK: Training

  struct TrainedBank {
    let bank: SourceBank
    let recipe: Recipe
    let losses: [Float]
  }

  /// Trains what a task adds to a bank on some of the training examples, from the last checkpoint of the stage if it is
  /// one of the same training. Nil when something was removed meanwhile.
  private func train(
    _ round: RefiningRound, _ bank: SourceBank, learners: [Int], _ recipe: Recipe, stage: String
  ) throws(LearningFailure) -> TrainedBank? {
    let trainer = round.trainer
    let chosen = try exemplars(round, learners)
    let ids = chosen.map { round.set.training[$0].id }
    trainers.keep(Set((round.set.training + round.set.heldOut).map(\.id)), of: trainer)
    let images = ImageReader(embedder: embedder, store: store)
    guard try cache(ids, images, round) else { return nil }
    guard let features = features[embedder.key].matrix(ids) else { return nil }
    let training: SourceTraining
    do throws(BackboneError) {
      training = try trainer.training(
        of: round.taskID, on: bank, ids: ids,
        set: SourceTrainingSet(features: features, labels: chosen.map { round.labels[$0] }, preferred: round.own),
        recipe: recipe, seed: round.seed, images: images)
    } catch {
      throw .unusable("\(error)")
    }
    let note = note(ids, bank, recipe, trainer)
    var isRestored = false
    if let saved = try checkpoint(round.job, stage), saved.note == note,
      let state = try? SourceTraining.State(saved.bytes)
    {
      isRestored = training.restore(state)
    }
    func save() throws(LearningFailure) {
      let bytes = training.state.encoded()
      let runs = try storing { () throws(StorageError) in
        try store.saveCheckpoint(job: round.job, stage: stage, note: note, bytes: bytes)
      }
      if !runs { throw .cancelled }
    }

    progress.begin(round.taskID, phase: "training", done: training.state.step, total: recipe.steps)
    // Only what is new counts as progress: work that ends the process again and again is given up.
    if !isRestored { try save() }
    var saved = ContinuousClock.now
    while !training.isDone {
      let start = ContinuousClock.now
      let report = training.step()
      if let failure = images.failure { throw .storage(failure) }
      if let report {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        progress.report(
          round.taskID, loss: report.loss, imagesPerSecond: Double(report.examples) / max(seconds, 1e-6))
      }
      // Examples that were taught to the task meanwhile ended its progress.
      if progress[round.taskID] == nil {
        progress.begin(round.taskID, phase: "training", done: training.state.step, total: recipe.steps)
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
      bank: trainer.learned(bank, from: training.state.parameters, taskID: round.taskID, examples: ids, recipe: recipe),
      recipe: recipe,
      losses: training.state.losses)
  }

  /// A stage's checkpoint; a damaged one is none, since everything in it can be computed again.
  func checkpoint(
    _ job: Int64, _ stage: String
  ) throws(LearningFailure) -> (note: String, bytes: [UInt8])? {
    do throws(StorageError) {
      return try store.checkpoint(job: job, stage: stage)
    } catch {
      guard case .corrupt = error else { throw .storage(error) }
      logger.error("a checkpoint is damaged; training starts again", [LogField("job", .integer(Int(job)))])
      return nil
    }
  }

  /// What a checkpoint is of: restored, training must go on as if it had not stopped.
  private func note(_ ids: [Int64], _ bank: SourceBank, _ recipe: Recipe, _ trainer: any SourceTrainer) -> String {
    let backbone = "\(embedder.key) \(embedder.backbone.description.instructionSet)"
    let text = "\(backbone) \(ids) \(recipe) \(trainer.settings)"
    return SHA256.hash(Array(text.utf8) + bank.prompts.encoded() + bank.experts.storedHashes.flatMap { $0 }).hexadecimal
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
      let limit = round.trainer.options.exemplars * (round.own.contains(label) ? 5 : 1)
      guard members.count > limit, let rows = features[embedder.key].matrix(members.map { round.set.training[$0].id })
      else {
        chosen += members
        continue
      }
      chosen += Herding.choose(rows, count: limit).map { members[$0] }
    }
    return chosen.sorted()
  }

  /// Computes what training reads of examples and is not kept. False when something was removed meanwhile.
  private func cache(
    _ ids: [Int64], _ images: ImageReader, _ round: RefiningRound
  ) throws(LearningFailure) -> Bool {
    let missing = ids.filter { !round.trainer.isCached($0) }
    progress.begin(round.taskID, phase: "caching", done: ids.count - missing.count, total: ids.count)
    let batchSize = 8 * pool.workers
    for start in stride(from: 0, to: missing.count, by: batchSize) {
      let batch = Array(missing[start..<min(missing.count, start + batchSize)])
      let (pool, wanted) = (pool, Set(ids))
      pool.forEach(batch.count, priority: .background) { index in
        round.trainer.cache(batch[index], wanted: wanted, images: images) { pool.yield() }
      }
      if let failure = images.failure { throw .storage(failure) }
      progress.advance(round.taskID, to: ids.count - missing.count + min(missing.count, start + batchSize))
      if let now = progress[round.taskID] { events.progress(round.taskID, now) }
      guard try makeWay(round) else { return false }
    }
    return true
  }

  /// Forgets examples: what is kept of them in memory.
  package func forget(_ ids: [Int64]) {
    features.remove(ids)
    trainers.remove(ids)
  }
}
