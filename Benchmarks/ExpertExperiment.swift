import CLModels
import Foundation
import Tensor

/// `benchmarks experts`: task after task, an expert is trained beside the frozen backbone as the daemon trains it, but on
/// all examples, and every way of reading all experts is measured on the test images, beside the closed form over the
/// backbone alone.
///
/// Flags: of the images as `ImagePlan` has them; what is trained: `--heads N` (1), `--blocks N` (4), `--own` (features
/// of its own, else a correction of the backbone's), `--steps N` (40), `--rate X` (1e-3), `--warm-up N` (20), `--decay X`
/// (.01), `--lambda X` (.2), `--share X` (.5), `--classes N` (16), `--episode N` (96); `--every N` measures every N steps
/// of the last task; `--last` measures after the last task only. What follows each `--and` is another way to train on
/// the same images; its flags go before the common ones.
func runExpertExperiment(arguments: [String], json: Bool) throws {
  let pieces = arguments.split(separator: "--and", omittingEmptySubsequences: false).map(Array.init)
  let variants = pieces.count == 1 ? [[]] : Array(pieces.dropFirst())
  let plan = try ImagePlan(pieces[0])
  let options = variants.map { ExpertRun.Options($0 + pieces[0]) }
  let backbone = try BackboneMaterial(arguments: pieces[0]).load(.int8, resolution: plan.resolution)
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  var totals: [String: [Double]] = [:]
  var lines: [String] = []
  let blocks = options[0].blocks
  guard options.allSatisfy({ $0.blocks == blocks }) else { throw BenchmarkError("--blocks is for all variants") }
  for seed in plan.seeds {
    let data = try ExperimentData(plan, seed: seed, backbone: backbone, pool: pool) {
      let (feature, heads) = backbone.freezeHeads($0, blocks: blocks) {}
      return (feature, heads)
    }
    for (variant, options) in zip(variants, options) {
      var run = ExpertRun(options, plan: plan, data: data, seed: seed, backbone: backbone, pool: pool)
      let prefix = variant.isEmpty ? "" : variant.joined(separator: " ") + ": "
      for (name, values) in try run.all().sorted(by: { $0.key < $1.key }) {
        totals[prefix + name, default: []].append(values.last ?? 0)
        print("seed \(seed) \(prefix)\(name): \(values.map { formatted($0, 4) }.joined(separator: " "))")
        lines.append(#"{"seed":\#(seed),"source":"\#(prefix)\#(name)","after_each_task":\#(values)}"#)
      }
    }
  }
  for (name, values) in totals.sorted(by: { $0.key < $1.key }) {
    print("mean \(name): \(formatted(values.reduce(0, +) / Double(values.count), 4))")
  }
  if json { print("{\"name\":\"experts\",\"results\":[\(lines.joined(separator: ","))]}") }
}

private struct ExpertRun {
  struct Options {
    var training = SourceTrainingOptions()
    let heads: Int
    let feature: ExpertFeature
    let blocks: Int
    let every: Int
    let measuresLastOnly: Bool

    init(_ arguments: [String]) {
      func number<Value: LosslessStringConvertible>(_ flag: String, _ usual: Value) -> Value {
        value(of: flag, in: arguments).flatMap { Value($0) } ?? usual
      }
      heads = number("--heads", 1)
      feature = arguments.contains("--own") ? .own : .correction
      blocks = number("--blocks", 4)
      every = number("--every", 0)
      measuresLastOnly = arguments.contains("--last")
      training.steps = number("--steps", 40)
      training.learningRate = number("--rate", 1e-3)
      training.warmUp = number("--warm-up", 20)
      training.weightDecay = number("--decay", 0.01)
      training.objective = .leaveOneOutRidge(lambda: number("--lambda", 0.2), backboneShare: number("--share", 0.5))
      training.classesPerEpisode = number("--classes", 16)
      training.examplesPerEpisode = number("--episode", 96)
    }
  }

  typealias Item = ExperimentData<FrozenHeads>.Item

  private let options: Options
  private let plan: ImagePlan
  private let data: ExperimentData<FrozenHeads>
  private let seed: UInt64
  private let backbone: VisionTransformer
  private let pool: ComputePool
  private var bank: ExpertBank

  init(
    _ options: Options, plan: ImagePlan, data: ExperimentData<FrozenHeads>, seed: UInt64, backbone: VisionTransformer,
    pool: ComputePool
  ) {
    self.options = options
    self.plan = plan
    self.data = data
    self.seed = seed
    self.backbone = backbone
    self.pool = pool
    bank = ExpertBank(blocks: options.blocks)
  }

  /// Accuracy by source, after every task.
  mutating func all() throws -> [String: [Double]] {
    var generator = SeededGenerator(seed: seed &+ 1000)
    var results: [String: [Double]] = [:]
    for task in 0..<plan.tasks {
      let known = (task + 1) * plan.perTask
      let train = data.train.filter { $0.label < known }
      let shape = ExpertShape(
        heads: options.heads, blocks: options.blocks, earlierHeads: task * options.heads, feature: options.feature,
        backbone: backbone.description)
      let experts = ExpertBackbone(backbone, bank: bank)
      let slices = pool.map(train.count, priority: .background) { experts.slices(train[$0].frozen) {} }
      var training = options.training
      training.seed = seed &* 100 &+ UInt64(task)
      let source = SourceTraining(
        .expert(backbone, shape: shape) { ExpertSource(heads: train[$0].frozen, earlier: slices[$0]) },
        start: ExpertStart.parameters(shape, generator: &generator),
        set: SourceTrainingSet(
          features: Matrix(train.map(\.feature)), labels: train.map(\.label),
          preferred: Set(known - plan.perTask..<known)),
        options: training, pool: pool)
      func learned() -> ExpertBank {
        bank.learning(
          .init(
            taskID: Int64(task), heads: options.heads, feature: options.feature, parameters: source.state.parameters,
            examples: []))
      }
      let isLast = task == plan.tasks - 1
      var spent = Duration.zero
      while !source.isDone {
        let start = ContinuousClock.now
        _ = source.step()
        spent += ContinuousClock.now - start
        if isLast, options.every > 0, source.state.step % options.every == 0, !source.isDone {
          print("  step \(source.state.step): \(Self.text(try measure(learned(), known: known, train: train)))")
        }
      }
      bank = learned()
      guard isLast || !options.measuresLastOnly else { continue }
      let measured = try measure(bank, known: known, train: train)
      for (name, value) in measured { results[name, default: []].append(value) }
      let losses = source.state.losses
      let loss = losses.isEmpty ? "-" : "\(losses[0]) to \(losses.suffix(5).reduce(0, +) / Float(min(5, losses.count)))"
      let line = "task \(task + 1): loss \(loss), \(formatted(spent / .seconds(1), 1)) s; \(Self.text(measured))\n"
      FileHandle.standardError.write(Data(line.utf8))
    }
    return results
  }

  private static func text(_ measured: [String: Double]) -> String {
    measured.sorted { $0.key < $1.key }.map { "\($0.key) \(formatted($0.value, 4))" }.joined(separator: ", ")
  }

  /// Test accuracy over the classes known so far, by source.
  private func measure(_ bank: ExpertBank, known: Int, train: [Item]) throws -> [String: Double] {
    let test = data.test.filter { $0.label < known }
    let experts = ExpertBackbone(backbone, bank: bank)
    func features(_ items: [Item]) -> Matrix<Float> {
      Matrix(
        pool.map(items.count, priority: .background) { index in
          items[index].feature + experts.features(items[index].frozen) {}.flatMap { $0 }
        })
    }
    let (trained, tested) = (features(train), features(test))
    let own = 0..<backbone.description.featureWidth
    let learned = own.upperBound..<trained.columns
    let mixtures: [(String, [FeatureMixture.Part])] = [
      ("cls", [.init(columns: own, weight: 1)]),
      ("z", [.init(columns: learned, weight: 1)]),
      ("cls+z", [.init(columns: own, weight: 0.5), .init(columns: learned, weight: 0.5)]),
      ("cls+2z", [.init(columns: own, weight: 1 / 3), .init(columns: learned, weight: 2 / 3)]),
    ]
    var results: [String: Double] = [:]
    for (name, parts) in mixtures {
      let head = try ClosedForm.fit(
        LabelledFeatures(
          features: trained, labels: train.map(\.label), classCount: known, mixture: FeatureMixture(parts)),
        options: ClosedFormOptions(method: .kernelRidge), pool: pool
      ).head
      let scores = head.scores(tested)
      let correct = test.indices.count { scores.columnOfLargest(inRow: $0) == test[$0].label }
      results[name] = Double(correct) / Double(test.count)
    }
    return results
  }
}
