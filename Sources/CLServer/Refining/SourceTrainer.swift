package import CLModels

/// One way of training, with a name for documents.
package struct Recipe: Sendable, Equatable {
  package let name: String
  package let steps: Int
  package let learningRate: Double
  /// Weight of the backbone's own kernel in the objective.
  package let backboneShare: Float
  /// What an expert's feature is; prompts always start as the backbone's.
  package let expertFeature: ExpertFeature

  package init(
    name: String, steps: Int, learningRate: Double, backboneShare: Float, expertFeature: ExpertFeature = .correction
  ) {
    self.name = name
    self.steps = steps
    self.learningRate = learningRate
    self.backboneShare = backboneShare
    self.expertFeature = expertFeature
  }
}

/// How the daemon trains sources, whatever kind they are.
package struct RefiningOptions: Sendable {
  /// Tried in this order, each next one only where the one before helped much.
  package var recipes: [Recipe]
  package var lambda: Float
  /// What recipes have in common.
  package var training: SourceTrainingOptions
  /// Examples of an earlier class that are trained on.
  package var exemplars: Int
  /// With more training examples, nothing is trained.
  package var largestSet: Int
  /// With fewer examples to judge by, nothing is trained.
  package var fewestJudges: Int
  package var checkpointSeconds: Double

  package init(
    recipes: [Recipe], lambda: Float, training: SourceTrainingOptions, exemplars: Int, largestSet: Int,
    fewestJudges: Int, checkpointSeconds: Double
  ) {
    self.recipes = recipes
    self.lambda = lambda
    self.training = training
    self.exemplars = exemplars
    self.largestSet = largestSet
    self.fewestJudges = fewestJudges
    self.checkpointSeconds = checkpointSeconds
  }

  /// Of one recipe.
  func training(_ recipe: Recipe, seed: UInt64) -> SourceTrainingOptions {
    var training = training
    training.steps = recipe.steps
    training.learningRate = recipe.learningRate
    training.objective = .leaveOneOutRidge(lambda: lambda, backboneShare: recipe.backboneShare)
    training.seed = seed
    return training
  }
}

/// What knows how one kind of sources, prompts or experts, is trained and read: their shapes, and what is frozen of
/// examples for them. Knows no database. Any thread.
package protocol SourceTrainer: Sendable {
  var options: RefiningOptions { get }
  var kind: SourceKind { get }
  /// Everything that training depends on besides its examples, its recipe and the bank.
  var settings: String { get }

  /// Why nothing can be added to a bank for a task; nil when something can.
  func obstacle(to taskID: Int64, on bank: SourceBank) -> String?

  /// Whether what training reads of an example is at hand.
  func isCached(_ id: Int64) -> Bool
  /// Computes it and keeps it, rather than what is not `wanted`.
  func cache(_ id: Int64, wanted: Set<Int64>, images: ImageReader, yield: () -> Void)
  /// Forgets all examples but these.
  func keep(_ ids: Set<Int64>)
  /// Forgets these.
  func remove(_ ids: [Int64])

  /// Training of what a task adds to a bank.
  ///
  /// - Parameters:
  ///   - ids: the examples of the set.
  ///   - seed: what start and episodes are drawn with.
  func training(
    of taskID: Int64, on bank: SourceBank, ids: [Int64], set: SourceTrainingSet, recipe: Recipe, seed: UInt64,
    images: ImageReader
  ) throws(BackboneError) -> SourceTraining

  /// The bank with what was trained.
  func learned(
    _ bank: SourceBank, from parameters: [Float], taskID: Int64, examples: [Int64], recipe: Recipe
  ) -> SourceBank

  /// How the features of this kind's sources of a bank are made from an example, one a source; nil where the picture
  /// cannot be read.
  func features(
    of bank: SourceBank, images: ImageReader
  ) -> @Sendable (_ id: Int64, _ yield: () -> Void) -> [[Float]]?
}
