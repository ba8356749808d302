package import CLModels
package import Storage
package import Tensor

/// Fits a head on a training set, measures it, and says what to store. Knows no database and no thread of its own.
package struct ModelBuilder: Sendable {
  /// A version before it has a number.
  package struct Built: Sendable {
    package let manifest: VersionManifest
    /// Of the head and the examples; what its sources are stored as goes with them.
    package let artifacts: [NewArtifact]
    package let evaluation: Evaluation
    package let classes: [ServingClass]
    package let head: any Head
    package let sources: ModelSources
    package let temperature: Float
    package let examples: Set<Int64>
    /// Whether those of the examples that were said to be unseen are answered right when they are left out, in the order
    /// of the set; those that cannot be left out are left away.
    package let unseenAnswers: [Bool]
  }

  package enum Outcome: Sendable {
    case built(Built)
    /// There is no training example.
    case nothingToLearn
    /// Features went away since the set was put together: an example was removed.
    case stale
  }

  package let options: ClosedFormOptions
  package let featuresKey: String
  private let features: FeatureLibrary
  private let pool: ComputePool

  package init(options: ClosedFormOptions, featuresKey: String, features: FeatureLibrary, pool: ComputePool) {
    self.options = options
    self.featuresKey = featuresKey
    self.features = features
    self.pool = pool
  }

  /// Fits and measures; takes seconds for thousands of examples, as background work of the pool. The features of all
  /// examples are in the library.
  ///
  /// - Parameter unseen: examples that the sources were not trained on. Where no judges have said how confident to be, they
  ///   do.
  package func build(
    _ set: TrainingSet, sources: ModelSources, unseen: Set<Int64> = []
  ) throws(LearnerError) -> Outcome {
    guard !set.training.isEmpty else { return .nothingToLearn }
    guard let rows = features.matrix(set.training.map(\.id), keys: sources.keys),
      let heldOut = features.matrix(set.heldOut.map(\.id), keys: sources.keys)
    else { return .stale }
    let largest = ClosedFormOptions.largestDualForm
    guard (options.method != .kernelRidge && !sources.mixture.isTrained) || set.training.count <= largest else {
      throw .invalid(
        "\(set.training.count) examples are too many for kernel-ridge (\(largest)); "
          + (sources.mixture.isTrained ? "lower prompt_examples" : "set head to closed-form"))
    }
    let columns = Dictionary(uniqueKeysWithValues: set.classes.enumerated().map { ($1.id, $0) })
    let data = LabelledFeatures(
      features: rows, labels: set.training.compactMap { columns[$0.classID] }, groups: set.groups,
      classCount: set.classes.count, mixture: sources.mixture.isTrained ? sources.kernels : nil)
    let fitted = try sources.mixture.fit(data, options: options, pool: pool)
    let examples = Set((set.training + set.heldOut).map(\.id))
    let leftOut = Self.leftOut(unseen, set, fitted, labels: data.labels)
    let temperature =
      sources.temperature
      ?? (leftOut.labels.isEmpty || !sources.mixture.isTrained
        ? fitted.temperature : Calibration.fitTemperature(scores: leftOut.scores, labels: leftOut.labels))
    let manifest = VersionManifest(
      features: featuresKey, setting: Self.setting(options), head: fitted.name, lambda: fitted.lambda,
      temperature: temperature, classes: set.classes.map(\.id),
      trainingExamples: set.training.count,
      heldOutExamples: set.heldOut.count, mixture: sources.mixture)
    let built = Built(
      manifest: manifest,
      artifacts: [
        NewArtifact(kind: VersionManifest.ArtifactKind.head, bytes: fitted.head.encoded()),
        NewArtifact(kind: VersionManifest.ArtifactKind.examples, bytes: VersionManifest.encode(examples: examples)),
      ],
      evaluation: Evaluation(set, fitted: fitted, heldOutFeatures: heldOut, hasSeenLabels: sources.mixture.isTrained),
      classes: set.classes.map { ServingClass(id: $0.id, name: $0.name) }, head: fitted.head,
      sources: sources, temperature: temperature, examples: examples,
      unseenAnswers: leftOut.labels.indices.map { leftOut.scores.columnOfLargest(inRow: $0) == leftOut.labels[$0] })
    return .built(built)
  }

  /// Scores of unseen examples that can be left out, each without its group; none where the head has no such scores.
  private static func leftOut(
    _ unseen: Set<Int64>, _ set: TrainingSet, _ fitted: FittedHead, labels: [Int]
  ) -> (scores: Matrix<Float>, labels: [Int]) {
    guard !unseen.isEmpty, let scores = fitted.leaveOneOutScores else { return (Matrix(rows: 0, columns: 0), []) }
    let rows = zip(set.training.indices, set.canBeLeftOut)
      .filter { unseen.contains(set.training[$0].id) && $1 }.map(\.0)
    return (scores.selectingRows(rows), rows.map { labels[$0] })
  }

  /// Everything in the options that changes a model: a stored version made with others is made again.
  package static func setting(_ options: ClosedFormOptions) -> String {
    "\(options.method.rawValue):\(options.crossing):\(options.randomFeatureCount):\(options.seed)"
  }
}
