import CLModels
import Foundation
import Tensor

/// `benchmarks expansion`: networks trained from nothing, task after task, with the same epochs, batches, memory and
/// seeds: dense expansion (DNE) against one that grows without reading older experts, one that reads them in its
/// attention, one that does not grow, and one that sees everything at once.
///
/// Flags: `--data fashion|FOLDER`, `--seeds 1,2,3`, `--train N` and `--test N` images a class, `--tasks N` at most,
/// `--epochs N`, `--head-width N`, `--heads N` of the first task, `--grow N` by every further one, `--blocks N` before
/// the class-attention block, `--batch N`, `--rate X`, `--decay X`, `--tuning N` epochs of balanced fine-tuning,
/// `--tuning-rate X`, `--memory N`, `--shift N` pixels, `--no-flips`, `--methods a,b`: dense, independent,
/// independent-full (experts as large as the first), joint, fine-tuning, together.
func runExpansionExperiment(arguments: [String], json: Bool) throws {
  let plan = try ExpansionPlan(arguments)
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  var results: [ExpansionResult] = []
  for seed in plan.seeds {
    let data = try ExpansionData(plan.source, seed: seed, train: plan.train, test: plan.test, pool: pool)
    for method in plan.methods {
      let result = plan.run(method, data: data, seed: seed, pool: pool)
      print(result.line)
      fflush(nil)
      results.append(result)
    }
  }
  for method in plan.methods { print(summary(results.filter { $0.method == method })) }
  if json {
    func last(_ method: ExpansionMethod) -> Double? {
      let all = results.filter { $0.method == method }.map(\.last)
      return all.isEmpty ? nil : all.reduce(0, +) / Double(all.count)
    }
    let (ours, peer) = (last(.dense), last(.fullSize))
    let ratio = ours.flatMap { ours in peer.map { ours / $0 } }
    func text(_ number: Double?) -> String { number.map(\.description) ?? "null" }
    print(
      """
      {"name":"expansion","ours":\(text(ours)),"peer":\(text(peer)),"ratio":\(text(ratio)),\
      "unit":"accuracy after the last task, peer independent-full",\
      "results":[\(results.map(\.json).joined(separator: ","))]}
      """)
  }
}

enum ExpansionMethod: String, CaseIterable {
  case dense
  case independent
  case fullSize = "independent-full"
  case joint
  case fineTuning = "fine-tuning"
  case together

  var path: NetworkShape.CrossTaskPath {
    switch self {
    case .dense, .fineTuning, .together: .dense
    case .independent, .fullSize: .independent
    case .joint: .joint
    }
  }
}

struct ExpansionResult {
  let method: ExpansionMethod
  let seed: UInt64
  /// Of all classes so far, after every task.
  let accuracies: [Double]
  /// How many test images the last one is of.
  let tested: Int
  let parameters: [Int]
  /// A prediction's.
  let multiplyAccumulates: [Int]
  let seconds: Double

  var last: Double { accuracies.last ?? 0 }
  var average: Double { accuracies.reduce(0, +) / Double(max(1, accuracies.count)) }

  var line: String {
    "seed \(seed) \(method.rawValue): last \(formatted(last, 4)) average \(formatted(average, 4)) (n \(tested)); "
      + "after each task \(accuracies.map { formatted($0, 3) }.joined(separator: " ")); "
      + "parameters \(parameters.map(String.init).joined(separator: " ")); multiply-accumulates "
      + "\(multiplyAccumulates.map(String.init).joined(separator: " ")); \(formatted(seconds, 0)) s"
  }

  var json: String {
    func list(_ numbers: [some CustomStringConvertible]) -> String {
      "[" + numbers.map(\.description).joined(separator: ",") + "]"
    }
    return
      "{\"method\":\"\(method.rawValue)\",\"seed\":\(seed),\"accuracies\":\(list(accuracies)),\"tested\":\(tested),"
      + "\"parameters\":\(list(parameters)),\"multiply_accumulates\":\(list(multiplyAccumulates)),"
      + "\"seconds\":\(seconds)}"
  }
}

/// Means over seeds, with the deviation of a seed.
private func summary(_ results: [ExpansionResult]) -> String {
  guard let one = results.first else { return "" }
  func statistics(_ values: [Double]) -> String {
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
    return "\(formatted(mean, 4)) +- \(formatted(variance.squareRoot(), 4))"
  }
  return "mean \(one.method.rawValue): last \(statistics(results.map(\.last))) average "
    + "\(statistics(results.map(\.average))); \(results.count) seeds, n \(one.tested); parameters "
    + "\(one.parameters.last ?? 0), multiply-accumulates \(one.multiplyAccumulates.last ?? 0); "
    + "\(statistics(results.map(\.seconds))) s"
}

struct ExpansionPlan {
  let source: String
  let seeds: [UInt64]
  let train: Int
  let test: Int
  let tasks: Int
  let headWidth: Int
  let heads: Int
  let grow: Int
  let blocks: Int
  let methods: [ExpansionMethod]
  let options: ExpansionOptions

  init(_ arguments: [String]) throws {
    func number<Value: LosslessStringConvertible>(_ flag: String, _ usual: Value) -> Value {
      value(of: flag, in: arguments).flatMap { Value($0) } ?? usual
    }
    source = value(of: "--data", in: arguments) ?? "fashion"
    seeds = (value(of: "--seeds", in: arguments) ?? "1").split(separator: ",").compactMap { UInt64($0) }
    train = number("--train", 500)
    test = number("--test", 500)
    tasks = number("--tasks", Int.max)
    headWidth = number("--head-width", 16)
    heads = number("--heads", 4)
    grow = number("--grow", 2)
    blocks = number("--blocks", 2)
    let names = value(of: "--methods", in: arguments) ?? ExpansionMethod.allCases.map(\.rawValue).joined(separator: ",")
    methods = try names.split(separator: ",").map {
      guard let method = ExpansionMethod(rawValue: String($0)) else { throw BenchmarkError("no method \($0)") }
      return method
    }
    var options = ExpansionOptions()
    options.epochs = number("--epochs", options.epochs)
    options.batch = number("--batch", options.batch)
    options.learningRate = number("--rate", options.learningRate)
    options.optimizer.weightDecay = number("--decay", options.optimizer.weightDecay)
    options.tuningEpochs = number("--tuning", options.tuningEpochs)
    options.tuningRate = number("--tuning-rate", options.tuningRate)
    options.memory = number("--memory", options.memory)
    options.shift = number("--shift", options.shift)
    options.flips = !arguments.contains("--no-flips")
    self.options = options
  }

  func run(_ method: ExpansionMethod, data: ExpansionData, seed: UInt64, pool: ComputePool) -> ExpansionResult {
    let shape = NetworkShape(
      channels: data.channels, side: data.side, patch: data.patch, headWidth: headWidth, spatialBlocks: blocks,
      path: method.path)
    let learner = ExpansionLearner(shape, options: options, seed: seed &+ 1000, pool: pool)
    let tasks = min(tasks, data.tasks)
    let clock = ContinuousClock.now
    var accuracies: [Double] = []
    var parameters: [Int] = []
    var multiplyAccumulates: [Int] = []
    var asked = LabelledImages()
    func measure() {
      let answers = learner.predictions(asked.images)
      accuracies.append(Double(zip(answers, asked.labels).count { $0 == $1 }) / Double(asked.count))
      parameters.append(learner.network.parameterCount)
      multiplyAccumulates.append(learner.network.multiplyAccumulates)
    }
    func all(_ parts: some Sequence<LabelledImages>) -> LabelledImages {
      parts.reduce(into: LabelledImages()) { $0.append($1) }
    }
    if method == .together {
      // As wide as the network that has grown to the end.
      asked = all(data.test.prefix(tasks))
      learner.learn(
        all(data.train.prefix(tasks)), classes: tasks * data.classesPerTask, heads: heads + grow * (tasks - 1))
      measure()
    } else {
      for task in 0..<tasks {
        let k = task == 0 || method == .fullSize ? heads : method == .fineTuning ? 0 : grow
        let losses = learner.learn(data.train[task], classes: data.classesPerTask, heads: k)
        asked.append(data.test[task])
        measure()
        let elapsed = (ContinuousClock.now - clock) / .seconds(1)
        let line =
          "\(method.rawValue) task \(task + 1): loss \(formatted(losses.first, 3)) to \(formatted(losses.last, 3)), "
          + "accuracy \(formatted(accuracies[task], 4)), \(formatted(elapsed, 0)) s\n"
        FileHandle.standardError.write(Data(line.utf8))
      }
    }
    return ExpansionResult(
      method: method, seed: seed, accuracies: accuracies, tested: asked.count, parameters: parameters,
      multiplyAccumulates: multiplyAccumulates, seconds: (ContinuousClock.now - clock) / .seconds(1))
  }
}
