package import CLModels
import JSONTree
import Storage
import Synchronization
import Tensor

/// How `refine` chooses among ways of answering, and lets the chosen one answer.
extension LearningService {
  /// Who learns, and who judges.
  struct Judging {
    /// Positions in the round's training examples.
    let learners: [Int]
    let records: [ExampleRecord]
  }

  /// A candidate's answers, one a judge.
  package struct Judged: Sendable {
    package let candidate: Refinement.Candidate
    package let isRight: [Bool]
    /// The task of each judge.
    package let tasks: [Int64]
    /// Fitted on the judges' scores.
    package let temperature: Float

    package init(candidate: Refinement.Candidate, isRight: [Bool], tasks: [Int64], temperature: Float = 1) {
      self.temperature = temperature
      self.candidate = candidate
      self.isRight = isRight
      self.tasks = tasks
    }
  }

  /// The share of judges that a recipe must win over the backbone alone before the next, bolder one is tried.
  static let gainForMore = 0.015

  /// What is measured besides the backbone alone before anything is trained: what serves; or, where the backbone serves
  /// alone though earlier tasks' sources are left, every way of reading those.
  package static func known(_ served: SourceMixture, _ base: SourceBank) -> [SourceMixture] {
    served.isTrained ? [served] : SourceMixture.candidates(of: base).filter(\.isTrained)
  }

  /// How mixtures of the bank's sources do on the judges, each with a head fitted to the learners. Nil when something was
  /// removed meanwhile.
  func measure(
    _ round: RefiningRound, _ bank: SourceBank, _ mixtures: [SourceMixture], training: String?, _ judging: Judging
  ) throws(LearningFailure) -> [Judged]? {
    progress.begin(round.taskID, phase: "choosing", done: 0, total: mixtures.count)
    let ids = judging.learners.map { round.set.training[$0].id } + judging.records.map(\.id)
    let columns = Dictionary(uniqueKeysWithValues: round.set.classes.enumerated().map { ($1.id, $0) })
    let sources = ModelSources(
      bank: bank, shadow: bank, mixture: .backboneOnly, backbone: embedder.backbone, backboneKey: embedder.key)
    let read = Set(mixtures.filter(\.isTrained).flatMap { $0.sources(of: bank) }).union([0])
    guard let rows = try rows(of: ids, read, sources, round) else { return nil }
    var results: [Judged] = []
    // The backbone alone needs no training: it is measured once, not again with every recipe.
    for mixture in mixtures where mixture.isTrained || training == nil {
      guard let picked = rows.sideBySide(mixture.sources(of: bank)) else { continue }
      let data = LabelledFeatures(
        features: picked.selectingRows(0..<judging.learners.count), labels: judging.learners.map { round.labels[$0] },
        groups: round.set.groups.map { groups in judging.learners.map { groups[$0] } },
        classCount: round.set.classes.count, mixture: mixture.kernels(of: bank, widths: sources.widths))
      let fitted: FittedHead
      do throws(LearnerError) {
        fitted = try mixture.fit(data, options: builder.options, pool: pool)
      } catch {
        throw .unusable("\(error)")
      }
      let scores = fitted.head.scores(picked.selectingRows(judging.learners.count..<ids.count))
      let isRight = judging.records.enumerated().map { row, record in
        scores.columnOfLargest(inRow: row) == columns[record.classID]
      }
      let answers = judging.records.compactMap { columns[$0.classID] }
      let temperature = Calibration.fitTemperature(scores: scores, labels: answers)
      results.append(
        Judged(
          candidate: Refinement.Candidate(
            mixture: mixture, training: training, correct: isRight.count { $0 }, total: isRight.count,
            loss: Calibration.loss(scores: scores, labels: answers, temperature: temperature)),
          isRight: isRight, tasks: judging.records.map(\.taskID),
          temperature: temperature))
      progress.advance(round.taskID, to: results.count)
      if let now = progress[round.taskID] { events.progress(round.taskID, now) }
      guard try makeWay(round) else { return nil }
    }
    return results
  }

  /// Features of some of the sources, each with its examples' rows.
  struct SourceRows {
    /// By source, `[ids.count, width]` each.
    let columns: [Int: Matrix<Float>]
    /// Examples whose picture cannot be read any more: zeros stand for their features.
    let unreadable: Set<Int64>

    /// The features of sources side by side; nil when one was not asked for.
    func sideBySide(_ sources: [Int]) -> Matrix<Float>? {
      let parts = sources.compactMap { columns[$0] }
      guard parts.count == sources.count, let first = parts.first else { return nil }
      if parts.count == 1 { return first }
      return Matrix((0..<first.rows).map { row in parts.flatMap { $0.row(row) } })
    }
  }

  /// The features of some sources, those that are stored as they are, the others from what is frozen of the examples.
  /// Nil when something was removed meanwhile.
  func rows(
    of ids: [Int64], _ read: Set<Int>, _ sources: ModelSources, _ round: RefiningRound
  ) throws(LearningFailure) -> SourceRows? {
    var columns: [Int: Matrix<Float>] = [:]
    for source in read { columns[source] = features[sources.allKeys[source]].matrix(ids) }
    guard columns[0] != nil else { return nil }
    let images = ImageReader(embedder: embedder, store: store)
    var unreadable: Set<Int64> = []
    for (trainer, range) in trainers.ranges(of: sources.bank) {
      let lacking = range.filter { read.contains($0) && columns[$0] == nil }
      if lacking.isEmpty { continue }
      let compute = trainer.features(of: sources.bank, images: images)
      let found = Mutex([[[Float]]?](repeating: nil, count: ids.count))
      let pool = pool
      let batchSize = 32 * pool.workers
      for start in stride(from: 0, to: ids.count, by: batchSize) {
        let batch = start..<min(ids.count, start + batchSize)
        pool.forEach(batch.count, priority: .background) { offset in
          let row = compute(ids[batch.lowerBound + offset]) { pool.yield() }
          found.withLock { $0[batch.lowerBound + offset] = row }
        }
        if let failure = images.failure { throw .storage(failure) }
        guard try makeWay(round) else { return nil }
      }
      let rows = found.withLock { $0 }
      unreadable.formUnion(ids.indices.filter { rows[$0] == nil }.map { ids[$0] })
      for source in lacking {
        let nothing = [Float](repeating: 0, count: sources.widths[source])
        let storage = rows.flatMap { $0?[source - range.lowerBound] ?? nothing }
        columns[source] = Matrix(rows: ids.count, columns: sources.widths[source], storage: storage)
      }
    }
    return SourceRows(columns: columns, unreadable: unreadable)
  }

  /// Whether more answers were lost than by chance, by more than 1.96 deviations (McNemar's test): pairs of whether an
  /// example is answered right now, and whether it was before.
  static func isHarm(_ pairs: some Sequence<(Bool, Bool)>) -> Bool { balance(pairs) < -1.96 }

  /// Answers won less those lost, in deviations of what chance does; 0 where all are alike.
  private static func balance(_ pairs: some Sequence<(Bool, Bool)>) -> Double {
    var (won, lost) = (0, 0)
    for (now, before) in pairs where now != before {
      if now { won += 1 } else { lost += 1 }
    }
    return won + lost == 0 ? 0 : Double(won - lost) / Double(won + lost).squareRoot()
  }

  /// The candidate that answers better than the baseline, which is what answers now, and best of all; nil where none does.
  /// Out are those that are worse than the baseline on some task by more than chance: answers lost against answers won, 1.96
  /// deviations (McNemar's test).
  ///
  /// Of ridges the one with the least loss is best, the first of equals; it answers at least as many right as the
  /// baseline. The loss of calibrated probabilities tells candidates apart that differ in few answers. Between kinds of
  /// heads it says nothing: a softmax is fitted to have little loss, whatever it answers. So a softmax must win more
  /// answers from every ridge than it loses, by more than a deviation; and a ridge takes a softmax's place that it is not
  /// behind.
  package static func choose(_ judged: [Judged], baseline: Int) -> (index: Int?, reason: String?) {
    let plain = judged[baseline]
    func isRidge(_ index: Int) -> Bool { judged[index].candidate.mixture.readOut == .kernelRidge }
    func harms(_ other: Judged) -> Bool {
      Set(plain.tasks).contains { task in
        isHarm(
          plain.tasks.indices.filter { plain.tasks[$0] == task }.map { (other.isRight[$0], plain.isRight[$0]) })
      }
    }
    let harmless = judged.indices.filter { $0 != baseline && !harms(judged[$0]) }
    if harmless.isEmpty { return (nil, "every candidate lowers the accuracy of some task beyond the interval") }
    let better = harmless.filter { index in
      let (one, now) = (judged[index].candidate, plain.candidate)
      return one.correct >= now.correct && (isRidge(index) != isRidge(baseline) || one.loss < now.loss)
    }
    let rivals = (harmless + [baseline]).filter(isRidge)
    let softmaxes = better.filter { index in
      !isRidge(index) && rivals.allSatisfy { balance(zip(judged[index].isRight, judged[$0].isRight)) > 1 }
    }
    let eligible = softmaxes.isEmpty ? better.filter(isRidge) : softmaxes
    guard let best = eligible.min(by: { judged[$0].candidate.loss < judged[$1].candidate.loss }) else {
      return (nil, "no candidate answers better than what is served already")
    }
    return (best, nil)
  }

  // MARK: The end

  /// Publishes a version that reads what was trained. False when something was removed meanwhile.
  func adopt(
    _ round: RefiningRound, _ next: ModelSources, _ outcome: Refinement
  ) throws(LearningFailure) -> Bool {
    // Making way lets tasks in: what is published is what serves once no feature is missing any more.
    var set: TrainingSet
    var snapshot: TrainingSnapshot
    var unreadable: Set<Int64> = []
    while true {
      snapshot = try storing { () throws(StorageError) in try store.trainingSnapshot() }
      guard snapshot.removalCount == round.removals else { return false }
      set = TrainingSet(
        classes: snapshot.classes, examples: snapshot.examples,
        included: (serving.latest?.examples ?? []).subtracting(unreadable))
      let ids = (set.training + set.heldOut).map(\.id)
      if !features[embedder.key].missing(ids).isEmpty { return false }
      let missing = features.missing(ids, keys: next.keys)
      if missing.isEmpty { break }
      guard let read = try rows(of: missing, Set(next.sources).union([0]), next, round) else { return false }
      unreadable.formUnion(read.unreadable)
      for position in next.sources where position > 0 {
        let key = next.allKeys[position]
        let lacking = Set(features[key].missing(missing)).subtracting(unreadable)
        guard let rows = read.columns[position] else { continue }
        let column = missing.enumerated().filter { lacking.contains($1) }.map { row, id in
          (exampleID: id, vector: Array(rows.row(row)))
        }
        try storing { () throws(StorageError) in try store.storeFeatures(column, backboneKey: key) }
        features[key].insert(column)
      }
    }
    func refuse(_ reason: String) throws(LearningFailure) -> Bool {
      var outcome = outcome
      outcome.isAdopted = false
      outcome.served = nil
      outcome.reason = reason
      return try finish(round, outcome)
    }
    guard set.training.count <= trainers.largestSet else {
      return try refuse(
        "\(set.training.count) examples are more than \(round.trainer.kind.rawValue) are read with (prompt_examples)")
    }
    // What came meanwhile has judged nothing.
    let judged = Set((round.set.training + round.set.heldOut).map(\.id)).union(next.bank.examples)
    let result: (outcome: ModelBuilder.Outcome, isHarm: Bool)
    do throws(LearnerError) {
      result = try build(set, next, unseen: Set(set.training.map(\.id)).subtracting(judged))
    } catch {
      throw .unusable("\(error)")
    }
    if result.isHarm { return try refuse("it harms what was taught while it was trained") }
    guard case .built(let built) = result.outcome else { return false }
    let lost = Retraining.losing(from: sources.bank, to: next.bank).subtracting([round.taskID])
    let tasks = Set((set.training + set.heldOut).map(\.taskID))
    let version = NewVersion(
      afterTaskID: tasks.max(), manifest: built.manifest.json,
      artifacts: built.artifacts + VersionManifest.artifacts(of: built.sources),
      evaluations: built.evaluation.tasks, classEvaluations: built.evaluation.classes, removalCount: round.removals,
      servingTasks: tasks)
    var outcome = outcome
    outcome.seconds = (ContinuousClock.now - round.start) / .seconds(1)
    let document = outcome.document.encodedText()
    let update = TaskUpdate(
      taskID: round.taskID, state: .ready, isServing: nil, event: NewEvent(kind: "ready", data: document),
      refinement: document)
    let id: Int64
    do throws(StorageError) {
      id = try store.publish(
        version, taskUpdates: [update], keepVersions: keepVersions == 0 ? .max : keepVersions,
        retrained: lost.filter { tasks.contains($0) && learners(snapshot)[$0] != nil }.sorted(), finishing: round.job)
    } catch {
      switch error {
      case .conflict(.removedMeanwhile): return false
      case .conflict(.jobEnded), .notFound: throw .cancelled
      default: throw .storage(error)
      }
    }
    serve(built, as: id, seconds: outcome.seconds)
    try dropUnreadFeatures()
    return true
  }

  /// Ends without a new version.
  func finish(_ round: RefiningRound, _ outcome: Refinement) throws(LearningFailure) -> Bool {
    var outcome = outcome
    outcome.seconds = (ContinuousClock.now - round.start) / .seconds(1)
    let document = outcome.document.encodedText()
    let isDone = try storing { () throws(StorageError) in
      try store.finishRefining(
        job: round.job, taskID: round.taskID, refinement: document, event: NewEvent(kind: "ready", data: document))
    }
    if !isDone { throw .cancelled }
    try dropUnreadFeatures()
    logger.info(
      "\(round.trainer.kind.rawValue) were not adopted",
      [
        LogField("task", .integer(Int(round.taskID))), LogField("reason", .text(outcome.reason ?? "")),
      ])
    return true
  }
}

extension Refinement {
  /// How a training went.
  mutating func note(_ trained: LearningService.TrainedBank) {
    steps = trained.losses.count
    firstLoss = trained.losses.first
    lastLoss = trained.losses.last
  }
}
