package import CLModels
import Synchronization
package import Tensor

extension Recipe {
  /// For what the backbone knows: enough to specialise, too little to learn examples by heart.
  package static let gentle = Recipe(name: "gentle", steps: 120, learningRate: 1e-3, backboneShare: 0.5)
  /// For what it does not know.
  package static let strong = Recipe(name: "strong", steps: 240, learningRate: 2e-3, backboneShare: 0.3)
}

/// Trains prompts: keeps the backbone's way back, and examples' frozen tokens.
package final class PromptTrainer: FrozenTrainer {
  package let options: RefiningOptions
  /// Of a task's group, and of the global one.
  private let rows: Int
  package let frozen: FrozenCache<FrozenTokens>
  private let backbone: VisionTransformer
  private let pool: ComputePool
  /// Made when it is first needed: as much memory as the backbone.
  private let back = Mutex<TransposedBackbone?>(nil)

  package init(
    backbone: VisionTransformer, options: RefiningOptions, rows: Int, frozen: FrozenCache<FrozenTokens>,
    pool: ComputePool
  ) {
    self.backbone = backbone
    self.options = options
    self.rows = rows
    self.frozen = frozen
    self.pool = pool
  }

  package var kind: SourceKind { .prompts }
  package var settings: String { "\(options.training) \(options.lambda) \(rows)" }

  package func obstacle(to taskID: Int64, on bank: SourceBank) -> String? { nil }

  package func reader(_ images: ImageReader) -> FrozenReader<FrozenTokens> {
    FrozenReader(cache: frozen, images: images) { [backbone] in backbone.freeze($0, yield: $1).tokens }
  }

  private func wayBack() throws(BackboneError) -> TransposedBackbone {
    if let made = back.withLock({ $0 }) { return made }
    let made = try backbone.transposed()
    back.withLock { $0 = made }
    return made
  }

  /// Keys and values of the rows of all the bank's task groups, at least one, for later prompts to read. They are computed
  /// when an example is first asked for, and kept as long as there is room. Any thread.
  private func earlierRows(
    _ bank: PromptBank
  ) -> @Sendable (_ id: Int64, _ frozen: FrozenTokens, _ yield: () -> Void) -> FrozenTokens {
    let earlier = PromptBank(isDeep: bank.isDeep, tasks: bank.tasks)
    let prompted = PromptedBackbone(backbone, layout: earlier.layout, parameters: earlier.parameters)
    let shape = frozen.shape
    let cache: FrozenCache<FrozenTokens> = frozen.sibling(
      FrozenTokens.Shape(
        blocks: shape.blocks, tokens: earlier.tasks.reduce(0) { $0 + $1.rows }, heads: shape.heads,
        headWidth: shape.headWidth))
    return { id, frozen, yield in
      if let kept = cache.frozen(of: id) { return kept }
      let rows = prompted.frozenRows([frozen], yield: yield)[0]
      _ = cache.insert(id, rows)
      return rows
    }
  }

  /// Trains a new task group and a new global one, that read the bank's task groups. A task that is trained again reads
  /// the others' prompts, not its own old ones, which go.
  package func training(
    of taskID: Int64, on bank: SourceBank, ids: [Int64], set: SourceTrainingSet, recipe: Recipe, seed: UInt64,
    images: ImageReader
  ) throws(BackboneError) -> SourceTraining {
    let base = PromptBank(
      isDeep: bank.prompts.isDeep, tasks: bank.prompts.tasks.filter { $0.taskID != taskID }, global: nil)
    let training = options.training(recipe, seed: seed)
    var generator = SeededGenerator(seed: seed)
    func start() -> [Float] {
      PromptLayout.start(
        rows: rows, backbone: backbone, isDeep: base.isDeep, noise: training.startNoise, generator: &generator)
    }
    let layout = PromptLayout(
      groups: [.init(rows: rows, readsTasks: false), .init(rows: rows, readsTasks: true)], isDeep: base.isDeep)
    let reader = reader(images)
    let earlier = base.tasks.isEmpty ? nil : earlierRows(base)
    return SourceTraining(
      .prompts(
        backbone, back: try wayBack(), layout: layout, earlierRows: base.tasks.reduce(0) { $0 + $1.rows },
        tokens: { [pool] index in
          let frozen = reader.any(of: ids[index]) { pool.yield() }
          return (frozen, earlier?(ids[index], frozen) { pool.yield() })
        }),
      start: start() + start(), set: set, options: training, pool: pool)
  }

  package func learned(
    _ bank: SourceBank, from parameters: [Float], taskID: Int64, examples: [Int64], recipe: Recipe
  ) -> SourceBank {
    let half = parameters.count / 2
    func group(_ parameters: ArraySlice<Float>) -> PromptBank.Group {
      PromptBank.Group(taskID: taskID, rows: rows, parameters: Array(parameters), examples: examples)
    }
    var next = bank
    next.prompts = bank.prompts.learning(group(parameters[..<half]), global: group(parameters[half...]))
    return next
  }

  package func features(
    of bank: SourceBank, images: ImageReader
  ) -> @Sendable (_ id: Int64, _ yield: () -> Void) -> [[Float]]? {
    let prompted = PromptedBackbone(backbone, layout: bank.prompts.layout, parameters: bank.prompts.parameters)
    let reader = reader(images)
    let width = backbone.description.featureWidth
    return { id, yield in
      guard let tokens = reader.kept(of: id, yield: yield) else { return nil }
      let row = prompted.promptFeatures([tokens], yield: yield).storage
      return stride(from: 0, to: row.count, by: width).map { Array(row[$0..<$0 + width]) }
    }
  }
}
