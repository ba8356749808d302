package import CLModels
import Synchronization
package import Tensor

/// One way of training prompts, with a name for documents.
package struct PromptRecipe: Sendable, Equatable {
  package let name: String
  package let steps: Int
  package let learningRate: Double
  /// Weight of the backbone's own kernel in the objective.
  package let backboneShare: Float

  package init(name: String, steps: Int, learningRate: Double, backboneShare: Float) {
    self.name = name
    self.steps = steps
    self.learningRate = learningRate
    self.backboneShare = backboneShare
  }

  /// For what the backbone knows: enough to specialise, too little to learn examples by heart.
  package static let gentle = PromptRecipe(name: "gentle", steps: 120, learningRate: 1e-3, backboneShare: 0.5)
  /// For what it does not know.
  package static let strong = PromptRecipe(name: "strong", steps: 240, learningRate: 2e-3, backboneShare: 0.3)
}

/// How the daemon trains prompts.
package struct PromptTrainerOptions: Sendable {
  /// Tried in this order, each next one only where the one before helped much.
  package var recipes: [PromptRecipe]
  package var lambda: Float
  /// What recipes have in common.
  package var training: PromptTrainingOptions
  /// Of a task's group, and of the global one.
  package var rows: Int
  package var isDeep: Bool
  /// Examples of an earlier class that are trained on.
  package var exemplars: Int
  /// With more training examples, nothing is trained.
  package var largestSet: Int
  /// With fewer examples to judge by, nothing is trained.
  package var fewestJudges: Int
  package var checkpointSeconds: Double
}

/// What training needs besides examples: the backbone's way back, and their frozen tokens. Knows no database. Any thread.
package final class PromptTrainer: Sendable {
  package let options: PromptTrainerOptions
  package let tokens: TokenCache
  private let backbone: VisionTransformer
  private let pool: ComputePool
  /// Made when it is first needed: as much memory as the backbone.
  private let back = Mutex<TransposedBackbone?>(nil)

  package init(backbone: VisionTransformer, options: PromptTrainerOptions, tokens: TokenCache, pool: ComputePool) {
    self.backbone = backbone
    self.options = options
    self.tokens = tokens
    self.pool = pool
  }

  private func wayBack() throws(BackboneError) -> TransposedBackbone {
    if let made = back.withLock({ $0 }) { return made }
    let made = try backbone.transposed()
    back.withLock { $0 = made }
    return made
  }

  /// Keys and values of the rows of all the bank's task groups, at least one, for later prompts to read. They are computed
  /// when an example is first asked for, and kept as long as there is room. Any thread.
  package func earlierRows(
    _ bank: PromptBank
  ) -> @Sendable (_ id: Int64, _ frozen: FrozenTokens, _ yield: () -> Void) -> FrozenTokens {
    let earlier = PromptBank(isDeep: bank.isDeep, tasks: bank.tasks)
    let prompted = PromptedBackbone(backbone, layout: earlier.layout, parameters: earlier.parameters)
    let cache = tokens.sibling(tokens: earlier.tasks.reduce(0) { $0 + $1.rows })
    return { id, frozen, yield in
      if let kept = cache.tokens(of: id) { return kept }
      let rows = prompted.frozenRows([frozen], yield: yield)[0]
      _ = cache.insert(id, rows)
      return rows
    }
  }

  /// Training of a new task group and a new global one, that read the bank's task groups.
  ///
  /// - Parameters:
  ///   - seed: what start and episodes are drawn with.
  ///   - tokens: as in `PromptTrainingSet`.
  package func training(
    _ bank: PromptBank, features: Matrix<Float>, labels: [Int], preferred: Set<Int>, recipe: PromptRecipe,
    seed: UInt64, tokens: @escaping @Sendable (Int) -> (frozen: FrozenTokens, earlier: FrozenTokens?)
  ) throws(BackboneError) -> PromptTraining {
    var training = options.training
    training.steps = recipe.steps
    training.learningRate = recipe.learningRate
    training.objective = .leaveOneOutRidge(lambda: options.lambda, backboneShare: recipe.backboneShare)
    training.seed = seed
    var generator = SeededGenerator(seed: seed)
    func start() -> [Float] {
      PromptTraining.start(
        rows: options.rows, backbone: backbone, isDeep: bank.isDeep, noise: training.startNoise, generator: &generator)
    }
    let layout = PromptLayout(
      groups: [.init(rows: options.rows, readsTasks: false), .init(rows: options.rows, readsTasks: true)],
      isDeep: bank.isDeep)
    return PromptTraining(
      backbone, back: try wayBack(), layout: layout, start: start() + start(),
      set: PromptTrainingSet(features: features, labels: labels, preferred: preferred, tokens: tokens),
      earlierRows: bank.tasks.reduce(0) { $0 + $1.rows }, options: training, pool: pool)
  }

  /// The bank with what was trained.
  package func learned(
    _ bank: PromptBank, from state: PromptTraining.State, taskID: Int64, examples: [Int64]
  ) -> PromptBank {
    let half = state.parameters.count / 2
    func group(_ parameters: ArraySlice<Float>) -> PromptBank.Group {
      PromptBank.Group(taskID: taskID, rows: options.rows, parameters: Array(parameters), examples: examples)
    }
    return bank.learning(group(state.parameters[..<half]), global: group(state.parameters[half...]))
  }
}
