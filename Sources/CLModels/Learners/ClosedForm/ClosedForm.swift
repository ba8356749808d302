package import Tensor

/// Closed-form heads over frozen features (`methods.md` 7.1): no gradient, no random order, the same examples in any
/// order give the same head, and a head fitted without an example never saw it.
package enum ClosedForm {
  /// Fits the head `options.method` names.
  ///
  /// Runs as background work on the pool (without one, on the calling thread) and lets urgent work in every few
  /// milliseconds. Blocks the calling thread. Cost: kernel ridge of N examples, a few times N^3 operations and 16 N^2
  /// bytes; random features, N M^2 and M^3.
  package static func fit(
    _ data: LabelledFeatures, options: ClosedFormOptions, pool: ComputePool?
  ) throws(LearnerError) -> FittedHead {
    let primal =
      options.method == .randomFeatures
      || (options.method == .automatic && data.labels.count >= options.dualFormEnd)
    let isDual = [.kernelRidge, .automatic].contains(options.method) && !primal
    // Only the dual form mixes sources: what the others fit must be what their heads compute.
    var data = data
    if !isDual { data.mixture = nil }
    let examples = try CanonicalExamples(data)
    let tiles = TileRunner(pool: pool)
    let head: any Head
    let method: ClosedFormMethod
    var lambda: Double?
    let scores: Matrix<Float>
    switch options.method {
    case .kernelRidge, .randomFeatures, .automatic:
      if primal {
        guard options.randomFeatureCount > 0 else { throw .invalid("there are no random features") }
        let features = RandomFeatures(count: options.randomFeatureCount, width: examples.width, seed: options.seed)
        let solution = try RandomFeaturesFit(examples, features: features, tiles: tiles).solve()
        (head, method, lambda) = (solution.head, .randomFeatures, solution.lambda)
        scores = solution.leaveOneOutScores
      } else {
        let solution = try KernelRidgeFit(examples, tiles: tiles).solve()
        head = KernelRidgeHead(
          examples: examples.features, mixture: examples.mixture, coefficients: solution.coefficients)
        (method, lambda) = (.kernelRidge, solution.lambda)
        scores = solution.leaveOneOutScores
      }
    case .nearestClassMean:
      let solution = NearestClassMeanFit.solve(examples)
      (head, method) = (solution.head, .nearestClassMean)
      scores = solution.leaveOneOutScores
    case .sharedCovariance:
      let solution = try SharedCovarianceFit(examples, tiles: tiles).solve()
      (head, method, lambda) = (solution.head, .sharedCovariance, solution.shrinkage)
      scores = solution.leaveOneOutScores
    }
    return FittedHead(
      head: head, method: method, lambda: lambda, temperature: temperature(scores, examples, head: head),
      leaveOneOutScores: examples.restored(scores))
  }

  /// Fitted on the examples whose class keeps an example when their group is left out: the others cannot be right.
  /// Without any such example (one a class), the default for the scores of examples by the head that knows them.
  private static func temperature(
    _ scores: Matrix<Float>, _ examples: CanonicalExamples, head: any Head
  ) -> Float {
    var counts = [Int](repeating: 0, count: examples.classCount)
    for label in examples.labels { counts[label] += 1 }
    var rows: [Int] = []
    for group in examples.groups {
      var lost: [Int: Int] = [:]
      for row in group { lost[examples.labels[row], default: 0] += 1 }
      rows += group.filter { counts[examples.labels[$0]] > lost[examples.labels[$0], default: 0] }
    }
    guard !rows.isEmpty else {
      // An average over this many says enough, and scoring them takes milliseconds.
      let some = stride(from: 0, to: examples.count, by: max(1, examples.count / 256))
      return Calibration.defaultTemperature(head.scores(examples.features.selectingRows(Array(some))))
    }
    return Calibration.fitTemperature(scores: scores.selectingRows(rows), labels: rows.map { examples.labels[$0] })
  }
}
