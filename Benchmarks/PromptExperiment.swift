import CLModels
import Foundation
import Synchronization
import Tensor

/// `benchmarks pop`: task after task, task prompts and global prompts are trained on the frozen backbone as the daemon trains
/// them, and every way of reading them out is measured on the test images, beside the closed form over the backbone alone.
///
/// Flags: of the images as `ImagePlan` has them; what is trained: `--steps N`, `--rate X`, `--lambda X`, `--share X`,
/// `--classes N`, `--episode N`, `--rows N`, `--shallow`, `--isolated` (Q does not read the task prompts), `--no-q`,
/// `--no-p`, `--fresh` (Q starts anew in each task), `--objective softmax|few-shot` (cosine heads trained with the
/// prompts; usually the leave-one-out ridge). `--last` measures after the last task only.
func runPromptExperiment(arguments: [String], json: Bool) throws {
  // What follows each `--and` is another way to train on the same images; its flags go before the common ones.
  let pieces = arguments.split(separator: "--and", omittingEmptySubsequences: false).map(Array.init)
  let common = pieces[0]
  let variants = pieces.count == 1 ? [[]] : Array(pieces.dropFirst())
  let plan = try PromptPlan(common)
  let backbone = try BackboneMaterial(arguments: arguments).load(.int8, resolution: plan.images.resolution)
  let back = try backbone.transposed()
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  var lines: [String] = []
  var totals: [String: [Double]] = [:]
  for seed in plan.images.seeds {
    let data = try ExperimentData(plan.images, seed: seed, backbone: backbone, pool: pool) {
      let (feature, tokens) = backbone.freeze($0, yield: {})
      return (feature, tokens)
    }
    for variant in variants {
      let run = PromptRun(
        try PromptPlan(variant + common), data: data, seed: seed, backbone: backbone, back: back, pool: pool)
      let prefix = variant.isEmpty ? "" : variant.joined(separator: " ") + ": "
      let result = Dictionary(uniqueKeysWithValues: try run.all().map { (prefix + $0.key, $0.value) })
      for (name, values) in result { totals[name, default: []].append(values.last ?? 0) }
      for (name, values) in result.sorted(by: { $0.key < $1.key }) {
        let text = values.map { formatted($0, 4) }.joined(separator: " ")
        print("seed \(seed) \(name): \(text)")
        lines.append(
          "{\"seed\":\(seed),\"source\":\"\(name)\",\"after_each_task\":[\(values.map { "\($0)" }.joined(separator: ","))]}"
        )
      }
    }
  }
  for (name, values) in totals.sorted(by: { $0.key < $1.key }) {
    print("mean \(name): \(formatted(values.reduce(0, +) / Double(values.count), 4))")
  }
  if json { print("{\"name\":\"pop\",\"results\":[\(lines.joined(separator: ","))]}") }
}

private struct PromptPlan {
  let images: ImagePlan
  var rows: Int
  var options = SourceTrainingOptions()
  var isDeep: Bool
  var readsTasks: Bool
  var hasGlobal: Bool
  var hasTasks: Bool
  var isFresh: Bool
  var every: Int
  var copies: Int
  var measuresLastOnly: Bool

  var globalGroups: [PromptLayout.Group] {
    hasGlobal ? (0..<copies).map { _ in .init(rows: rows, readsTasks: readsTasks) } : []
  }

  init(_ arguments: [String]) throws {
    func number<Value: LosslessStringConvertible>(_ flag: String, _ usual: Value) -> Value {
      value(of: flag, in: arguments).flatMap { Value($0) } ?? usual
    }
    images = try ImagePlan(arguments)
    rows = number("--rows", 1)
    options.steps = number("--steps", 40)
    options.learningRate = number("--rate", 1e-3)
    options.objective = .leaveOneOutRidge(lambda: number("--lambda", 0.2), backboneShare: number("--share", 0.5))
    switch value(of: "--objective", in: arguments) {
    case nil, "ridge": break
    case "softmax": options.objective = .softmax(SoftmaxObjective())
    case "few-shot": options.objective = .softmax(SoftmaxObjective(isFewShot: true))
    default: throw BenchmarkError("--objective is ridge, softmax or few-shot")
    }
    options.classesPerEpisode = number("--classes", 16)
    options.examplesPerEpisode = number("--episode", 96)
    every = number("--every", 0)
    copies = number("--copies", 1)
    isDeep = !arguments.contains("--shallow")
    readsTasks = !arguments.contains("--isolated")
    hasGlobal = !arguments.contains("--no-q")
    hasTasks = !arguments.contains("--no-p")
    isFresh = arguments.contains("--fresh")
    measuresLastOnly = arguments.contains("--last")
  }
}

private final class PromptRun {
  let plan: PromptPlan
  let data: ExperimentData<FrozenTokens>
  let backbone: VisionTransformer
  let back: TransposedBackbone
  let pool: ComputePool
  var generator: SeededGenerator
  let seed: UInt64

  init(
    _ plan: PromptPlan, data: ExperimentData<FrozenTokens>, seed: UInt64, backbone: VisionTransformer,
    back: TransposedBackbone,
    pool: ComputePool
  ) {
    self.plan = plan
    self.data = data
    self.seed = seed
    self.backbone = backbone
    self.back = back
    self.pool = pool
    generator = SeededGenerator(seed: seed &+ 1000)
  }

  /// Accuracy by source, after every task.
  func all() throws -> [String: [Double]] {
    var results: [String: [Double]] = [:]
    var tasks: [Float] = []
    var global = starts()
    var count = 0
    var heads = PromptHeadReadout()
    for task in 0..<plan.images.tasks {
      let known = (task + 1) * plan.images.perTask
      let train = data.train.filter { $0.label < known }
      let features = Matrix(train.map(\.feature))
      let earlier = plan.hasTasks && count > 0 ? rows(tasks, count: count, train) : []
      let teacher = heads.teacher { self.features(prompted(tasks, count: count, global), train) }
      if plan.isFresh { global = starts() }
      let new = start()
      let layout = PromptLayout(
        groups: (plan.hasTasks ? [.init(rows: plan.rows, readsTasks: false)] : [])
          + plan.globalGroups, isDeep: plan.isDeep)
      var options = plan.options
      options.seed = seed &* 100 &+ UInt64(task)
      let training = SourceTraining(
        .prompts(
          backbone, back: back, layout: layout, earlierRows: count * plan.rows,
          tokens: { (train[$0].frozen, earlier.isEmpty ? nil : earlier[$0]) }),
        start: (plan.hasTasks ? new : []) + (plan.hasGlobal ? global : []),
        set: SourceTrainingSet(
          features: features, labels: train.map(\.label), preferred: Set(known - plan.images.perTask..<known),
          teacher: teacher), options: options, pool: pool)
      var losses: [Double] = []
      let clock = ContinuousClock.now
      while !training.isDone {
        if let report = training.step() { losses.append(report.loss) }
        if plan.every > 0, training.state.step % plan.every == 0, !training.isDone, task == plan.images.tasks - 1 {
          let (t, q) = split(training.state.parameters)
          let line = try measure(
            tasks + t, count: count + (plan.hasTasks ? 1 : 0), q, known: known, train: train,
            heads: heads.adding(training.heads))
          print(
            "  step \(training.state.step): "
              + line.sorted { $0.key < $1.key }.map { "\($0.key) \(formatted($0.value, 4))" }.joined(separator: ", "))
        }
      }
      let elapsed = (ContinuousClock.now - clock) / .seconds(1)
      let (t, q) = split(training.state.parameters)
      tasks += t
      global = q
      if plan.hasTasks { count += 1 }
      heads = heads.adding(training.heads)
      guard !plan.measuresLastOnly || task == plan.images.tasks - 1 else { continue }
      let measured = try measure(tasks, count: count, global, known: known, train: train, heads: heads)
      for (name, value) in measured { results[name, default: []].append(value) }
      let loss =
        losses.isEmpty
        ? "-"
        : "\(formatted(losses[0], 3)) to \(formatted(losses.suffix(5).reduce(0, +) / Double(min(5, losses.count)), 3))"
      FileHandle.standardError.write(
        Data(
          "task \(task + 1): loss \(loss), \(formatted(elapsed, 1)) s; \(measured.sorted { $0.key < $1.key }.map { "\($0.key) \(formatted($0.value, 4))" }.joined(separator: ", "))\n"
            .utf8))
    }
    return results
  }

  private func start() -> [Float] {
    PromptLayout.start(
      rows: plan.rows, backbone: backbone, isDeep: plan.isDeep, noise: plan.options.startNoise, generator: &generator)
  }

  private func starts() -> [Float] { (0..<plan.copies).flatMap { _ in start() } }

  private func split(_ parameters: [Float]) -> (task: [Float], global: [Float]) {
    guard plan.hasTasks else { return ([], parameters) }
    let one = PromptLayout.parameterCount(
      rows: plan.rows, width: backbone.description.width, blocks: backbone.description.blocks, isDeep: plan.isDeep)
    return (Array(parameters.prefix(one)), Array(parameters.dropFirst(one)))
  }

  private func rows(_ tasks: [Float], count: Int, _ items: [ExperimentData<FrozenTokens>.Item]) -> [FrozenTokens] {
    let layout = PromptLayout(
      groups: (0..<count).map { _ in .init(rows: plan.rows, readsTasks: false) }, isDeep: plan.isDeep)
    let prompted = PromptedBackbone(backbone, layout: layout, parameters: tasks)
    let half = (items.count + 1) / 2
    let parts = [Array(items.prefix(half)), Array(items.dropFirst(half))]
    let found = Mutex([[FrozenTokens]](repeating: [], count: 2))
    pool.forEach(2, priority: .background) { index in
      let rows = prompted.frozenRows(parts[index].map(\.frozen), yield: {})
      found.withLock { $0[index] = rows }
    }
    return found.withLock { $0.flatMap { $0 } }
  }

  /// Test accuracy over the classes known so far, by source.
  private func measure(
    _ tasks: [Float], count: Int, _ global: [Float], known: Int, train: [ExperimentData<FrozenTokens>.Item],
    heads: PromptHeadReadout
  ) throws -> [String: Double] {
    let test = data.test.filter { $0.label < known }
    let width = backbone.description.featureWidth
    var trained = Matrix(train.map(\.feature))
    var tested = Matrix(test.map(\.feature))
    let prompted = self.prompted(tasks, count: count, global)
    if !prompted.layout.groups.isEmpty {
      trained = joined(trained, features(prompted, train))
      tested = joined(tested, features(prompted, test))
    }
    let backboneOnly = 0..<width
    let taskColumns = width..<width * (1 + count)
    let globalColumns = width * (1 + count)..<width * (1 + count + plan.copies)
    var mixtures: [(String, [FeatureMixture.Part])] = [("cls", [.init(columns: backboneOnly, weight: 1)])]
    if plan.hasGlobal {
      mixtures.append(("z_Q", [.init(columns: globalColumns, weight: 1)]))
      mixtures.append(
        ("cls+z_Q", [.init(columns: backboneOnly, weight: 0.5), .init(columns: globalColumns, weight: 0.5)]))
    }
    if plan.hasTasks {
      mixtures.append(("z_P", [.init(columns: taskColumns, weight: 1)]))
      mixtures.append(
        ("cls+z_P", [.init(columns: backboneOnly, weight: 0.5), .init(columns: taskColumns, weight: 0.5)]))
      if plan.hasGlobal {
        mixtures.append(
          (
            "cls+z_Q+z_P",
            [
              .init(columns: backboneOnly, weight: 1 / 3), .init(columns: taskColumns, weight: 1 / 3),
              .init(columns: globalColumns, weight: 1 / 3),
            ]
          ))
      }
    }
    var results: [String: Double] = [:]
    for (name, parts) in mixtures {
      let fitted = try ClosedForm.fit(
        LabelledFeatures(
          features: trained, labels: train.map(\.label), classCount: known, mixture: FeatureMixture(parts)),
        options: ClosedFormOptions(method: .kernelRidge), pool: pool)
      let scores = fitted.head.scores(tested)
      let correct = test.indices.count { scores.columnOfLargest(inRow: $0) == test[$0].label }
      results[name] = Double(correct) / Double(test.count)
      if let left = fitted.leaveOneOutScores, plan.every < 0 {
        let right = train.indices.count { left.columnOfLargest(inRow: $0) == train[$0].label }
        results[name + " (left out)"] = Double(right) / Double(train.count)
      }
    }
    if plan.hasGlobal {
      let softmax = try heads.accuracies(
        LabelledFeatures(features: trained, labels: train.map(\.label), classCount: known), test: tested,
        labels: test.map(\.label), columns: globalColumns, width: width, pool: pool)
      results.merge(softmax) { $1 }
    }
    return results
  }

  private func prompted(_ tasks: [Float], count: Int, _ global: [Float]) -> PromptedBackbone {
    let layout = PromptLayout(
      groups: (0..<count).map { _ in .init(rows: plan.rows, readsTasks: false) }
        + plan.globalGroups, isDeep: plan.isDeep)
    return PromptedBackbone(backbone, layout: layout, parameters: tasks + global)
  }

  private func joined(_ one: Matrix<Float>, _ other: Matrix<Float>) -> Matrix<Float> {
    Matrix((0..<one.rows).map { Array(one.row($0)) + Array(other.row($0)) })
  }

  private func features(_ prompted: PromptedBackbone, _ items: [ExperimentData<FrozenTokens>.Item]) -> Matrix<Float> {
    let found = Mutex([[Float]](repeating: [], count: items.count))
    pool.forEach(items.count, priority: .background) { index in
      let row = prompted.promptFeatures([items[index].frozen], yield: {}).storage
      found.withLock { $0[index] = row }
    }
    return Matrix(found.withLock { $0 })
  }
}
