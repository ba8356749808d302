import CLModels
import Glibc
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
  }

  /// False when something was removed meanwhile.
  private func refineOnce(_ taskID: Int64, job: Int64) throws(LearningFailure) -> Bool {
    let start = ContinuousClock.now
    let snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
    let included = serving.latest?.examples ?? []
    let set = TrainingSet(classes: snapshot.classes, examples: snapshot.examples, included: included)
    let columns = Dictionary(uniqueKeysWithValues: set.classes.enumerated().map { ($1.id, $0) })
    let labels = set.training.compactMap { columns[$0.classID] }
    let round = RefiningRound(
      taskID: taskID, job: job, removals: snapshot.removalCount, set: set, labels: labels,
      own: Set(zip(set.training, labels).filter { $0.0.taskID == taskID }.map(\.1)),
      seed: trainer.options.training.seed &* 1_000_003 &+ UInt64(taskID))
    var outcome = Refinement(
      candidates: [], judges: .crossFit, steps: trainer.options.training.steps, seconds: 0, seed: round.seed)

    if let reason = obstacle(round) {
      outcome.reason = reason
      return try finish(round, outcome)
    }
    let current = sources
    let isHeldOutEnough = Self.judges(set)
    outcome.judges = isHeldOutEnough ? .heldOut : .crossFit
    var shadow = current.shadow
    if !isHeldOutEnough {
      let judges = CrossFitting.judges(of: set, shadow: shadow)
      guard judges.count >= Self.fewestJudges else {
        outcome.reason = "\(judges.count) examples are too few to tell whether prompts help"
        return try finish(round, outcome)
      }
      let learners = set.training.indices.filter { !judges.contains($0) }
      guard let trained = try train(round, shadow, learners: learners, stage: "shadow") else { return false }
      shadow = trained.bank
      guard
        let candidates = try measure(
          round, shadow, learners: learners, judges: judges.sorted().map { set.training[$0] })
      else { return false }
      outcome.candidates = candidates.map(\.candidate)
      (outcome.adopted, outcome.reason) = Self.choose(candidates)
      if outcome.adopted == nil {
        outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
        return try finish(round, outcome)
      }
    }
    guard let trained = try train(round, current.bank, learners: Array(set.training.indices), stage: "prompts") else {
      return false
    }
    (outcome.firstLoss, outcome.lastLoss) = (trained.firstLoss, trained.lastLoss)
    if isHeldOutEnough {
      guard
        let candidates = try measure(
          round, trained.bank, learners: Array(set.training.indices), judges: set.heldOut)
      else { return false }
      outcome.candidates = candidates.map(\.candidate)
      (outcome.adopted, outcome.reason) = Self.choose(candidates)
    }
    outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
    guard let mixture = outcome.adopted else { return try finish(round, outcome) }
    let next = ModelSources(
      bank: trained.bank, shadow: shadow, mixture: mixture, backbone: embedder.backbone, backboneKey: embedder.key)
    return try adopt(round, next, outcome)
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
    let firstLoss: Double?
    let lastLoss: Double?
  }

  /// Trains a task group and a global one on some of the training examples, from the last checkpoint of the stage if it
  /// is one of the same training. Nil when something was removed meanwhile.
  private func train(
    _ round: RefiningRound, _ bank: PromptBank, learners: [Int], stage: String
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
        bank, features: features, labels: chosen.map { round.labels[$0] }, preferred: round.own, seed: round.seed,
        tokens: { (reader.tokens(of: ids[$0]), earlier?[$0]) })
    } catch {
      throw .unusable("\(error)")
    }
    let note = Self.note(ids, bank, trainer.options)
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

    let steps = trainer.options.training.steps
    progress.begin(round.taskID, phase: "training", done: training.state.step, total: steps)
    if training.state.step == 0 { try save() }
    var (firstLoss, lastLoss): (Double?, Double?)
    var saved = ContinuousClock.now
    while !training.isDone {
      let start = ContinuousClock.now
      let report = training.step()
      if let report {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        firstLoss = firstLoss ?? report.loss
        lastLoss = report.loss
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
      bank: trainer.learned(bank, from: training.state, taskID: round.taskID, examples: ids), firstLoss: firstLoss,
      lastLoss: lastLoss)
  }

  /// What a checkpoint is of: restored, training must go on as if it had not stopped.
  private static func note(_ ids: [Int64], _ bank: PromptBank, _ options: PromptTrainerOptions) -> String {
    let text = "\(ids) \(options.training) \(options.rows)"
    return SHA256.hash(Array(text.utf8) + bank.encoded()).hexadecimal
  }

  /// Lets removals and new tasks be done first. False when something was removed; throws when the job was cancelled or
  /// the process ends.
  private func makeWay(_ round: RefiningRound) throws(LearningFailure) -> Bool {
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

  // MARK: Choosing

  /// A candidate's answers, one a judge.
  struct Judged {
    let candidate: Refinement.Candidate
    let isRight: [Bool]
    /// The task of each judge.
    let tasks: [Int64]
  }

  /// Fewer say nothing.
  private static let fewestJudges = 10

  /// Whether what is held out can judge: every class has an example there, and there are enough in all.
  private static func judges(_ set: TrainingSet) -> Bool {
    Set(set.heldOut.map(\.classID)).count == set.classes.count && set.heldOut.count >= 100
  }

  /// How every candidate mixture does on the judges, its head being fitted to the learners. Nil when an example went
  /// meanwhile.
  private func measure(
    _ round: RefiningRound, _ bank: PromptBank, learners: [Int], judges: [ExampleRecord]
  ) throws(LearningFailure) -> [Judged]? {
    progress.begin(round.taskID, phase: "choosing", done: 0, total: SourceMixture.candidates.count + 1)
    let records = learners.map { round.set.training[$0] }
    let all = ModelSources(
      bank: bank, shadow: bank, mixture: SourceMixture(backbone: 1 / 3, tasks: 1 / 3, global: 1 / 3),
      backbone: embedder.backbone, backboneKey: embedder.key)
    guard let rows = try rows(of: (records + judges).map(\.id), all, round) else { return nil }
    let learned = rows.selectingRows(0..<records.count)
    let judged = rows.selectingRows(records.count..<rows.rows)
    let width = embedder.backbone.description.featureWidth
    let columns = Dictionary(uniqueKeysWithValues: round.set.classes.enumerated().map { ($1.id, $0) })
    var results: [Judged] = []
    for (position, mixture) in SourceMixture.candidates.enumerated() {
      let sources = mixture.sources(of: bank)
      func picked(_ matrix: Matrix<Float>) -> Matrix<Float> {
        Matrix(
          (0..<matrix.rows).map { row in
            sources.flatMap { Array(matrix.row(row).dropFirst($0 * width).prefix(width)) }
          })
      }
      let data = LabelledFeatures(
        features: picked(learned), labels: learners.map { round.labels[$0] },
        groups: round.set.groups.map { groups in
          learners.map { groups[$0] }
        }, classCount: round.set.classes.count, mixture: mixture.kernels(of: bank, width: width))
      let fitted: FittedHead
      do throws(LearnerError) {
        fitted = try ClosedForm.fit(data, options: ClosedFormOptions(method: .kernelRidge), pool: pool)
      } catch {
        throw .unusable("\(error)")
      }
      let scores = fitted.head.scores(picked(judged))
      let isRight = judges.indices.map { scores.columnOfLargest(inRow: $0) == columns[judges[$0].classID] }
      results.append(
        Judged(
          candidate: Refinement.Candidate(mixture: mixture, correct: isRight.count { $0 }, total: judges.count),
          isRight: isRight, tasks: judges.map(\.taskID)))
      progress.advance(round.taskID, to: position + 1)
      guard try makeWay(round) else { return nil }
    }
    return results
  }

  /// Features of examples by all sources, side by side. Nil when something was removed meanwhile.
  private func rows(
    of ids: [Int64], _ sources: ModelSources, _ round: RefiningRound
  ) throws(LearningFailure) -> Matrix<Float>? {
    let own = features[embedder.key]
    guard let backbone = own.matrix(ids), let prompted = sources.prompted else { return nil }
    let reader = TokenReader(cache: trainer.tokens, embedder: embedder, store: store)
    let found = Mutex([[Float]](repeating: [], count: ids.count))
    let pool = pool
    let batchSize = 32 * pool.workers
    for start in stride(from: 0, to: ids.count, by: batchSize) {
      let batch = start..<min(ids.count, start + batchSize)
      pool.forEach(batch.count, priority: .background) { offset in
        let index = batch.lowerBound + offset
        let row = prompted.promptFeatures([reader.tokens(of: ids[index])]) { pool.yield() }.storage
        found.withLock { $0[index] = row }
      }
      guard try makeWay(round) else { return nil }
    }
    let rows = found.withLock { $0 }
    return Matrix((0..<ids.count).map { Array(backbone.row($0)) + rows[$0] })
  }

  /// The candidate with the most right answers, the backbone alone being the first of equals. Out are those that are
  /// worse than it on some task by more than chance: lost answers against won ones, 1.96 deviations (McNemar's test).
  static func choose(_ judged: [Judged]) -> (mixture: SourceMixture?, reason: String?) {
    guard let plain = judged.first else { return (nil, "nothing was measured") }
    func harms(_ other: Judged) -> Bool {
      Set(plain.tasks).contains { task in
        var (won, lost) = (0, 0)
        for index in plain.tasks.indices where plain.tasks[index] == task {
          if other.isRight[index] && !plain.isRight[index] { won += 1 }
          if !other.isRight[index] && plain.isRight[index] { lost += 1 }
        }
        return Double(lost - won) > 1.96 * Double(lost + won).squareRoot()
      }
    }
    let harmless = judged.dropFirst().filter { !harms($0) }
    if harmless.isEmpty { return (nil, "every mixture lowers the accuracy of some task beyond the interval") }
    let most = harmless.map(\.candidate.correct).max() ?? 0
    guard most > plain.candidate.correct, let best = harmless.first(where: { $0.candidate.correct == most }) else {
      return (nil, "no mixture answers more than the backbone alone")
    }
    return (best.candidate.mixture, nil)
  }

  // MARK: The end

  /// Publishes a version that reads the new prompts. False when something was removed meanwhile.
  private func adopt(
    _ round: RefiningRound, _ next: ModelSources, _ outcome: Refinement
  ) throws(LearningFailure) -> Bool {
    // Tasks may have come since the start.
    let snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
    guard snapshot.removalCount == round.removals else { return false }
    let included = serving.latest?.examples ?? []
    let set = TrainingSet(classes: snapshot.classes, examples: snapshot.examples, included: included)
    let ids = (set.training + set.heldOut).map(\.id)
    let all = next.prompted == nil ? [next.allKeys[0]] : next.allKeys
    let missing = features.missing(ids, keys: next.keys)
    if next.prompted != nil {
      guard let rows = try rows(of: missing, next, round) else { return false }
      let width = embedder.backbone.description.featureWidth
      for (position, key) in all.enumerated().dropFirst() {
        let column = missing.enumerated().map { row, id in
          (exampleID: id, vector: Array(rows.row(row).dropFirst(position * width).prefix(width)))
        }
        try storing { () throws(StorageError) in try store.storeFeatures(column, backboneKey: key) }
        features[key].insert(column)
      }
    }
    let result: ModelBuilder.Outcome
    do throws(LearnerError) {
      result = try builder.build(set, sources: next)
    } catch {
      throw .unusable("\(error)")
    }
    guard case .built(let built) = result else { return false }
    let tasks = Set((set.training + set.heldOut).map(\.taskID))
    let version = NewVersion(
      afterTaskID: tasks.max(), manifest: built.manifest.json, artifacts: built.artifacts,
      evaluations: built.evaluation.tasks, classEvaluations: built.evaluation.classes, removalCount: round.removals,
      servingTasks: tasks)
    let document = outcome.document.encodedText()
    let update = TaskUpdate(
      taskID: round.taskID, state: .ready, isServing: nil, event: NewEvent(kind: "ready", data: document),
      refinement: document)
    let id: Int64
    do throws(StorageError) {
      id = try store.publish(
        version, taskUpdates: [update], keepVersions: keepVersions == 0 ? .max : keepVersions, finishing: round.job)
    } catch {
      switch error {
      case .conflict(.removedMeanwhile): return false
      case .conflict(.jobEnded), .notFound: throw .cancelled
      default: throw .storage(error)
      }
    }
    serve(built, as: id, seconds: outcome.seconds)
    let gone = features.keep(Set(next.allKeys))
    try storing { () throws(StorageError) in try store.deleteFeatures(backboneKeys: gone) }
    return true
  }

  /// Ends without a new version.
  private func finish(_ round: RefiningRound, _ outcome: Refinement) throws(LearningFailure) -> Bool {
    let document = outcome.document.encodedText()
    let isDone = try storing { () throws(StorageError) in
      try store.finishRefining(
        job: round.job, taskID: round.taskID, refinement: document, event: NewEvent(kind: "ready", data: document))
    }
    if !isDone { throw .cancelled }
    logger.info(
      "prompts were not adopted",
      [
        LogField("task", .integer(Int(round.taskID))), LogField("reason", .text(outcome.reason ?? "")),
      ])
    return true
  }

  /// Forgets examples: what is kept of them in memory.
  package func forget(_ ids: [Int64]) {
    features.remove(ids)
    trainer.tokens.remove(ids)
  }
}
