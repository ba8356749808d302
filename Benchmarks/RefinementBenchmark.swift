import CLModels
import Foundation
import Synchronization
import Tensor

/// `benchmarks pop-training --refine`: all that refining a first task of 5 classes with 20 images each takes, as the daemon
/// does it by default, without its database: 100 images are frozen; prompts are trained on three quarters of each class
/// and judged on the rest, with every way of reading them; prompts are trained on all; and a head is fitted to them.
///
/// Flags: `--backbone DIR`, `--images DIR`, `--resolution N` (default 160), `--steps N` of each training (default 120).
func runRefinementBenchmark(arguments: [String], json: Bool) throws {
  func number(_ flag: String, _ usual: Int) -> Int { value(of: flag, in: arguments).flatMap { Int($0) } ?? usual }
  let steps = max(1, number("--steps", 120))
  let material = BackboneMaterial(arguments: arguments)
  let backbone = try material.load(.int8, resolution: number("--resolution", 160))
  let images = try material.photographs(100).map { backbone.preprocessing.crop($0) }
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  let refinement = Refinement(backbone: backbone, labels: images.indices.map { $0 % 5 }, steps: steps, pool: pool)
  let total = try seconds { try refinement.run(images) }
  for (phase, time) in refinement.phases { print("\(phase): \(formatted(time, 1)) s") }
  print("refining a task of 5 classes of 20 images: \(formatted(total, 1)) s (goal: at most 180)")
  if json {
    let phases = refinement.phases.map { "\"\($0)\":\($1)" }.joined(separator: ",")
    print(
      """
      {"name":"pop-training-refine","ours":\(total),"unit":"seconds a task","goal":180,"steps":\(steps),\
      "phases":{\(phases)}}
      """)
  }
}

/// The daemon's `LearningService.refine` where everything goes well.
private final class Refinement {
  let backbone: VisionTransformer
  let labels: [Int]
  let steps: Int
  let pool: ComputePool
  /// What took how long, in order.
  private(set) var phases: [(String, Double)] = []

  init(backbone: VisionTransformer, labels: [Int], steps: Int, pool: ComputePool) {
    self.backbone = backbone
    self.labels = labels
    self.steps = steps
    self.pool = pool
  }

  func run(_ images: [RGBImage]) throws {
    var frozen = FrozenImages()
    timed("caching") { frozen = FrozenImages(images, backbone: backbone, pool: pool) }
    // A quarter of each class judges: every fourth, the classes taking turns.
    let judges = labels.indices.filter { $0 / 5 % 4 == 3 }
    let learners = labels.indices.filter { $0 / 5 % 4 != 3 }
    var back: TransposedBackbone?
    try timed("the way back") { back = try backbone.transposed() }
    guard let back else { throw BenchmarkError("no way back") }
    var shadow: [Float] = []
    try timed("shadow training") { shadow = try trained(frozen.selecting(learners), learners, back: back) }
    try timed("choosing") {
      let rows = features(shadow, frozen.selecting(learners + judges))
      for mixture in SourceMixture.candidates(of: bank(shadow)) {
        let fitted = try fit(rows.selectingRows(0..<learners.count), learners, mixture)
        let picked = picked(rows.selectingRows(learners.count..<rows.rows), mixture)
        _ = fitted.head.scores(picked)
      }
    }
    var parameters: [Float] = []
    try timed("training") { parameters = try trained(frozen, Array(labels.indices), back: back) }
    try timed("fitting") {
      _ = try fit(
        features(parameters, frozen), Array(labels.indices), SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25))
    }
  }

  private func timed(_ phase: String, _ body: () throws -> Void) rethrows {
    let time = try seconds(body)
    phases.append((phase, time))
  }

  /// The parameters of P and Q.
  private func trained(_ frozen: FrozenImages, _ examples: [Int], back: TransposedBackbone) throws -> [Float] {
    let training = promptTraining(
      backbone, back: back, frozen, labels: examples.map { labels[$0] }, preferred: Set(labels), steps: steps,
      pool: pool)
    while !training.isDone {
      guard training.step() != nil else { throw BenchmarkError("a step had to be dropped") }
    }
    return training.state.parameters
  }

  private func bank(_ parameters: [Float]) -> SourceBank {
    func group(_ numbers: ArraySlice<Float>) -> PromptBank.Group {
      PromptBank.Group(taskID: 1, rows: 1, parameters: Array(numbers), examples: [])
    }
    let half = parameters.count / 2
    return SourceBank(
      prompts: PromptBank(isDeep: true, tasks: [group(parameters[..<half])], global: group(parameters[half...])),
      experts: ExpertBank(blocks: 1))
  }

  /// By all sources, side by side.
  private func features(_ parameters: [Float], _ frozen: FrozenImages) -> Matrix<Float> {
    let bank = bank(parameters).prompts
    let prompted = PromptedBackbone(backbone, layout: bank.layout, parameters: bank.parameters)
    let found = Mutex([[Float]](repeating: [], count: frozen.tokens.count))
    pool.forEach(frozen.tokens.count, priority: .background) { [pool] index in
      let row = prompted.promptFeatures([frozen.tokens[index]]) { pool.yield() }.storage
      found.withLock { $0[index] = row }
    }
    return Matrix(found.withLock { $0 }.enumerated().map { Array(frozen.features.row($0)) + $1 })
  }

  /// Sources that a mixture reads, of the three side by side.
  private func picked(_ rows: Matrix<Float>, _ mixture: SourceMixture) -> Matrix<Float> {
    let width = backbone.description.featureWidth
    let sources = mixture.sources(of: bank([]))
    return Matrix(
      (0..<rows.rows).map { row in
        sources.flatMap { Array(rows.row(row).dropFirst($0 * width).prefix(width)) }
      })
  }

  private func fit(_ rows: Matrix<Float>, _ examples: [Int], _ mixture: SourceMixture) throws -> FittedHead {
    try mixture.fit(
      LabelledFeatures(
        features: picked(rows, mixture), labels: examples.map { labels[$0] }, classCount: 5,
        mixture: mixture.kernels(
          of: bank([]), widths: [Int](repeating: backbone.description.featureWidth, count: 3))),
      options: ClosedFormOptions(method: .kernelRidge), pool: pool)
  }
}
