import CLModels
import Tensor
import Testing

/// Scores lie in about -1...1; single precision features and coefficients leave this much.
private let scoreTolerance: Float = 1e-4

@Suite struct KernelRidgeTests {
  static let ridge = ClosedFormOptions(method: .kernelRidge)

  @Test func scoresEqualTheTextbookForm() throws {
    let data = clusteredExamples(classes: 4, perClass: [6, 9], width: 12, noise: 0.8, seed: 1)
    let query = clusteredExamples(classes: 4, perClass: [5], width: 12, noise: 0.8, seed: 2).features
    let fitted = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let lambda = try #require(fitted.lambda)
    let expected = Matrix(
      Naive.ridgeScores(data, lambda: lambda, weights: Naive.weights(data), query: query).map { $0.map(Float.init) })
    #expect(largestDifference(fitted.head.scores(query), expected) < scoreTolerance)
  }

  @Test(arguments: [nil, 3, 8]) func leaveOneOutEqualsFittingWithoutTheGroup(groupSize: Int?) throws {
    let data = clusteredExamples(
      classes: 3, perClass: [7, 9, 4], width: 10, noise: 0.9, seed: 3, groupsOf: groupSize)
    let fitted = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let lambda = try #require(fitted.lambda)
    let scores = try #require(fitted.leaveOneOutScores)
    let groups = data.groups ?? Array(data.labels.indices)
    let weights = Naive.weights(data)
    for left in data.labels.indices {
      // The weights stay those of the whole set.
      let kept = data.labels.indices.filter { groups[$0] != groups[left] }
      let expected = Naive.ridgeScores(
        data.selecting(kept), lambda: lambda, weights: kept.map { weights[$0] },
        query: data.features.selectingRows([left]))[0]
      for label in 0..<data.classCount {
        #expect(abs(Double(scores[left, label]) - expected[label]) < Double(scoreTolerance))
      }
    }
  }

  @Test func lambdaHasTheSmallestLeaveOneOutErrorOfTheGrid() throws {
    let data = clusteredExamples(classes: 5, perClass: [8], width: 16, noise: 1.2, seed: 5)
    let lambda = try #require(try ClosedForm.fit(data, options: Self.ridge, pool: nil).lambda)
    func error(_ lambda: Double) -> Double {
      data.labels.indices.reduce(0) { sum, left in
        let rest = data.selecting(data.labels.indices.filter { $0 != left })
        let scores = Naive.ridgeScores(
          rest, lambda: lambda, weights: [Double](repeating: 1, count: rest.labels.count),
          query: data.features.selectingRows([left]))[0]
        return scores.enumerated().reduce(sum) { total, item in
          let target = data.labels[left] == item.offset ? 1.0 : -1
          return total + (target - item.element) * (target - item.element)
        }
      }
    }
    let here = error(lambda)
    #expect(here < error(lambda * 1.78) && here < error(lambda / 1.78))
  }

  @Test(arguments: ClosedFormMethod.allCases) func anyOrderGivesTheSameScores(method: ClosedFormMethod) throws {
    let data = clusteredExamples(classes: 6, perClass: [12, 5], width: 24, noise: 1.0, seed: 7, groupsOf: 2)
    let query = clusteredExamples(classes: 6, perClass: [9], width: 24, noise: 1.0, seed: 8).features
    let options = ClosedFormOptions(method: method, randomFeatureCount: 150)
    let first = try ClosedForm.fit(data, options: options, pool: nil)
    var generator = SeededGenerator(seed: 4)
    let order = Array(data.labels.indices).shuffled(using: &generator)
    let pool = ComputePool(workers: 3)
    defer { pool.shutdown() }
    let second = try ClosedForm.fit(data.selecting(order), options: options, pool: pool)
    #expect(largestDifference(first.head.scores(query), second.head.scores(query)) == 0)
    #expect(first.temperature == second.temperature && first.lambda == second.lambda)
    let scores = try #require(first.leaveOneOutScores)
    let reordered = try #require(second.leaveOneOutScores)
    #expect(largestDifference(scores.selectingRows(order), reordered) == 0)
  }

  @Test func relabelledClassesGiveTheSameScoresInTheirNewPlaces() throws {
    let data = clusteredExamples(classes: 5, perClass: [10], width: 20, noise: 1.0, seed: 9)
    let query = clusteredExamples(classes: 5, perClass: [6], width: 20, noise: 1.0, seed: 10).features
    let places = [3, 0, 4, 1, 2]
    var moved = data
    moved.labels = data.labels.map { places[$0] }
    let first = try ClosedForm.fit(data, options: Self.ridge, pool: nil).head.scores(query)
    let second = try ClosedForm.fit(moved, options: Self.ridge, pool: nil).head.scores(query)
    for row in 0..<query.rows {
      for label in 0..<5 { #expect(abs(first[row, label] - second[row, places[label]]) < scoreTolerance) }
    }
  }

  @Test func severalBlocksAndWorkersGiveTheSameAsOneThread() throws {
    // 700 examples: three panels of the factorisation, several tiles, strips with whole groups.
    let data = clusteredExamples(classes: 7, perClass: [100], width: 32, noise: 2.0, seed: 11, groupsOf: 7)
    let pool = ComputePool(workers: 3)
    defer { pool.shutdown() }
    let alone = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let together = try ClosedForm.fit(data, options: Self.ridge, pool: pool)
    #expect(alone.lambda == together.lambda)
    #expect(alone.leaveOneOutScores == together.leaveOneOutScores)
    // Against fitting again without a group; each has one example of every class, so the weights stay.
    let groups = try #require(data.groups)
    let scores = try #require(alone.leaveOneOutScores)
    for group in [0, 31, 77] {
      let kept = data.labels.indices.filter { groups[$0] != group }
      let left = data.labels.indices.filter { groups[$0] == group }
      let without = try ClosedForm.fit(data.selecting(kept), options: Self.ridge, pool: pool)
      guard without.lambda == alone.lambda else { continue }
      let expected = without.head.scores(data.features.selectingRows(left))
      #expect(largestDifference(scores.selectingRows(left), expected) < scoreTolerance)
    }
  }

  @Test func aSmallClassIsAnsweredBesideLargeOnes() throws {
    // Classes of 60 and of 3 examples; on 100 new examples of each, small classes are right about as often.
    let all = clusteredExamples(classes: 8, perClass: [160], width: 32, noise: 1.0, seed: 13)
    let training = all.labels.indices.filter { $0 % 160 < (all.labels[$0] < 4 ? 60 : 3) }
    let test = all.selecting(all.labels.indices.filter { $0 % 160 >= 60 })
    let fitted = try ClosedForm.fit(all.selecting(training), options: Self.ridge, pool: nil)
    let given = answers(fitted.head.scores(test.features))
    let small = test.labels.indices.filter { test.labels[$0] >= 4 }
    let right = small.count { given[$0] == test.labels[$0] }
    #expect(Double(right) / Double(small.count) > 0.8)
  }

  @Test(arguments: ClosedFormMethod.allCases) func degenerateTrainingSetsWork(method: ClosedFormMethod) throws {
    let one: [Float] = [0.6, 0.8, 0]
    let other: [Float] = [0, 0.6, 0.8]
    let zero: [Float] = [0, 0, 0]
    let cases: [(rows: [[Float]], labels: [Int], groups: [Int]?, classes: Int)] = [
      ([one], [0], nil, 1),
      ([one], [1], nil, 2),
      ([zero], [0], nil, 1),
      ([one, other], [0, 1], nil, 2),
      ([one, other], [0, 1], [5, 5], 2),
      ([one, one, one, one], [0, 0, 1, 1], nil, 2),
      ([zero, zero, one], [0, 1, 1], nil, 3),
      ([one, other, one, other], [0, 0, 0, 0], [1, 1, 2, 2], 1),
      (
        Array(repeating: one, count: 300) + Array(repeating: other, count: 2),
        Array(repeating: 0, count: 300) + [1, 1], nil, 2
      ),
    ]
    for item in cases {
      let data = LabelledFeatures(
        features: Matrix(item.rows), labels: item.labels, groups: item.groups, classCount: item.classes)
      let fitted = try ClosedForm.fit(
        data, options: ClosedFormOptions(method: method, randomFeatureCount: 40), pool: nil)
      let scores = fitted.head.scores(Matrix([one, zero, other]))
      #expect(scores.columns == item.classes)
      #expect(isFinite(scores))
      let leftOut = try #require(fitted.leaveOneOutScores)
      #expect(isFinite(leftOut))
      #expect(fitted.temperature > 0 && fitted.temperature.isFinite)
      let probabilities = Calibration.probabilities(scores.row(0), temperature: fitted.temperature)
      #expect(abs(probabilities.reduce(0, +) - 1) < 1e-5)
    }
  }

  @Test func contradictoryTrainingSetsAreRefused() {
    func refusal(_ data: LabelledFeatures) -> LearnerError? {
      do {
        _ = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
        return nil
      } catch { return error }
    }
    let row: [[Float]] = [[1, 0]]
    #expect(refusal(LabelledFeatures(features: Matrix([]), labels: [], classCount: 1)) == .noExamples)
    for data in [
      LabelledFeatures(features: Matrix(row), labels: [], classCount: 1),
      LabelledFeatures(features: Matrix(row), labels: [1], classCount: 1),
      LabelledFeatures(features: Matrix(row), labels: [-1], classCount: 1),
      LabelledFeatures(features: Matrix(row), labels: [0], classCount: 0),
      LabelledFeatures(features: Matrix(row), labels: [0], groups: [], classCount: 1),
    ] {
      guard case .invalid = refusal(data) else {
        Issue.record("was not refused")
        continue
      }
    }
    let broken = LabelledFeatures(features: Matrix([[1, 0], [.nan, 1]]), labels: [0, 0], classCount: 1)
    #expect(refusal(broken) == .notFinite(example: 1))
  }
}
