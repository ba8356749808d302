package import Tensor

/// Trains a cosine softmax head on features that are at hand: the head of POP's paper for prompts that are trained already,
/// and what the closed forms are compared with.
///
/// Rows start at their classes' means and are trained with T by AdamW, no decay, its rate falling along half a cosine to
/// zero. Every class weighs the same. The number of steps is fixed and nothing stops them early: cross-entropy on separable
/// features has no minimum, so steps and rate are what regularises. The same examples in any order give the same head.
package enum CosineSoftmaxFit {
  package struct Options: Sendable, Equatable {
    package var steps = 200
    package var learningRate = 3e-3
    /// Examples of a step: all where there are no more, else as many, drawn anew.
    package var batch = 1024
    package var seed: UInt64 = 1
    /// Whether a second head is trained to find the temperature; without it, it is 1.
    package var calibrates = true

    package init() {}
  }

  /// Of the features, the one source that `data.mixture` names is read; without it the whole row.
  ///
  /// Costs 6 steps batch classes width operations, and the same again for the temperature, as background work of the pool
  /// (without one, on the calling thread), which lets urgent work in at every step. There are no leave-one-out scores. The
  /// scores of training examples are too good to calibrate on, so the temperature is that of a second head, trained
  /// without every fifth group, on the groups it did not see; 1, which is the T that was learned, where no such group has
  /// a class that the others know.
  package static func fit(
    _ data: LabelledFeatures, options: Options = Options(), pool: ComputePool? = nil
  ) throws(LearnerError) -> FittedHead {
    guard (data.mixture?.parts.count ?? 1) == 1 else { throw .invalid("a cosine softmax head reads one source") }
    let examples = try CanonicalExamples(data)
    let columns = examples.mixture.parts[0].columns
    var source = Matrix<Float>(rows: examples.count, columns: columns.count)
    for row in 0..<examples.count {
      for (column, from) in columns.enumerated() { source[row, column] = examples.features[row, from] }
    }
    func head(_ rows: [Int]) throws(LearnerError) -> CosineSoftmaxHead {
      let (features, labels) = (source.selectingRows(rows), rows.map { examples.labels[$0] })
      let work = { @Sendable (_: Int) in train(features, labels: labels, options: options, pool: pool) }
      let trained = pool?.map(1, priority: .background, work)[0] ?? work(0)
      guard trained.logScale.isFinite, trained.rows.storage.allSatisfy(\.isFinite) else { throw .notSolvable }
      return CosineSoftmaxHead(
        global: trained, columns: columns, classCount: examples.classCount, featureWidth: examples.width)
    }
    let (kept, heldOut) = split(examples)
    var temperature: Float = 1
    if options.calibrates, !heldOut.isEmpty {
      temperature = Calibration.fitTemperature(
        scores: try head(kept).scores(examples.features.selectingRows(heldOut)),
        labels: heldOut.map { examples.labels[$0] })
    }
    return FittedHead(
      head: try head(Array(0..<examples.count)), method: nil, lambda: nil, temperature: temperature,
      leaveOneOutScores: nil)
  }

  /// All but every fifth group; of those, the examples whose class is left.
  private static func split(_ examples: CanonicalExamples) -> (kept: [Int], heldOut: [Int]) {
    var kept: [Int] = []
    var heldOut: [Int] = []
    for (index, group) in examples.groups.enumerated() {
      if index % 5 == 4 { heldOut += group } else { kept += group }
    }
    let known = Set(kept.map { examples.labels[$0] })
    return (kept, heldOut.filter { known.contains(examples.labels[$0]) })
  }

  /// features: `[examples, width]`, of length 1. A row for every label there is, rising.
  private static func train(
    _ features: Matrix<Float>, labels: [Int], options: Options, pool: ComputePool?
  ) -> CosineRows {
    let classes = Set(labels).sorted()
    let places = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    let rowOf = labels.map { places[$0] ?? 0 }
    var counts = [Float](repeating: 0, count: classes.count)
    for row in rowOf { counts[row] += 1 }
    let weights = rowOf.map { Float(labels.count) / (Float(classes.count) * counts[$0]) }
    var rows = features.means(of: rowOf, classes: classes.count).rowsOfUnitLength().storage
    var logScale: [Float] = [3]
    var moments = AdamW.State<Float>(count: rows.count)
    var scaleMoments = AdamW.State<Float>(count: 1)
    let optimizer = AdamW(weightDecay: 0)
    let schedule = LearningRateSchedule.cosine(peak: options.learningRate, floor: 0, warmUp: 0, total: options.steps)
    let sampler = BatchSampler(labels: rowOf, size: max(1, options.batch), isBalanced: false)
    for step in 0..<options.steps {
      let isWhole = labels.count <= options.batch
      var generator = SeededGenerator(seed: options.seed &* 0x9E37_79B9 &+ UInt64(step))
      let batch = isWhole ? Array(labels.indices) : sampler.draw(&generator)
      let value = CosineSoftmaxLoss.evaluate(
        isWhole ? features : features.selectingRows(batch),
        rows: Matrix(rows: classes.count, columns: features.columns, storage: rows), logScale: logScale[0],
        labels: batch.map { rowOf[$0] }, exampleWeights: batch.map { weights[$0] })
      let rate = schedule.rate(at: step)
      optimizer.update(&rows, gradient: value.rows.storage, state: &moments, learningRate: rate)
      optimizer.update(&logScale, gradient: [value.logScale], state: &scaleMoments, learningRate: rate)
      pool?.yield()
    }
    return CosineRows(
      labels: classes, rows: Matrix(rows: classes.count, columns: features.columns, storage: rows),
      logScale: logScale[0])
  }
}

extension Matrix<Float> {
  /// The mean of each class's rows, `[classes, columns]`; zeros for a class without any.
  func means(of labels: [Int], classes: Int) -> Matrix<Float> {
    var sums = Matrix<Double>(rows: classes, columns: columns)
    var counts = [Double](repeating: 0, count: classes)
    for (row, label) in labels.enumerated() {
      counts[label] += 1
      for column in 0..<columns { sums[label, column] += Double(self[row, column]) }
    }
    var means = Matrix<Float>(rows: classes, columns: columns)
    for label in 0..<classes where counts[label] > 0 {
      for column in 0..<columns { means[label, column] = Float(sums[label, column] / counts[label]) }
    }
    return means
  }
}
