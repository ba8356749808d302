import CLModels
import Tensor
import Testing

@Suite struct BaselineHeadTests {
  /// Fitting again without a group gives its leave-one-out scores, for the heads where nothing is chosen.
  @Test(arguments: [nil, 3, 10]) func classMeansWithoutAGroupAreExact(groupSize: Int?) throws {
    let data = clusteredExamples(classes: 4, perClass: [5, 8], width: 9, noise: 1, seed: 1, groupsOf: groupSize)
    let options = ClosedFormOptions(method: .nearestClassMean)
    let scores = try #require(try ClosedForm.fit(data, options: options, pool: nil).leaveOneOutScores)
    let groups = data.groups ?? Array(data.labels.indices)
    for left in data.labels.indices {
      let rest = data.selecting(data.labels.indices.filter { groups[$0] != groups[left] })
      let expected = try ClosedForm.fit(rest, options: options, pool: nil).head
        .scores(data.features.selectingRows([left]))
      #expect(largestDifference(scores.selectingRows([left]), expected) < 1e-5)
    }
  }

  @Test(arguments: [nil, 2, 5, 9, 20]) func sharedCovarianceWithoutAGroupIsExact(groupSize: Int?) throws {
    let data = clusteredExamples(classes: 3, perClass: [9, 6, 12], width: 7, noise: 1, seed: 2, groupsOf: groupSize)
    let fitted = try ClosedForm.fit(data, options: ClosedFormOptions(method: .sharedCovariance), pool: nil)
    let shrinkage = try #require(fitted.lambda)
    let scores = try #require(fitted.leaveOneOutScores)
    let groups = data.groups ?? Array(data.labels.indices)
    for left in data.labels.indices {
      let rest = data.selecting(data.labels.indices.filter { groups[$0] != groups[left] })
      let expected = discriminantScores(rest, shrinkage: shrinkage, query: data.features.row(left))
      for label in 0..<data.classCount {
        // Scores reach 1 / shrinkage.
        #expect(abs(Double(scores[left, label]) - expected[label]) < 1e-5 / shrinkage)
      }
    }
    let whole = discriminantScores(data, shrinkage: shrinkage, query: data.features.row(0))
    let served = fitted.head.scores(data.features.selectingRows([0]))
    for label in 0..<data.classCount { #expect(abs(Double(served[0, label]) - whole[label]) < 1e-5 / shrinkage) }
  }

  private func discriminantScores(
    _ data: LabelledFeatures, shrinkage: Double, query: ArraySlice<Float>
  ) -> [Double] {
    let width = data.features.columns
    var means = [[Double]](repeating: [Double](repeating: 0, count: width), count: data.classCount)
    for label in 0..<data.classCount {
      let rows = data.labels.indices.filter { data.labels[$0] == label }
      for row in rows {
        for column in 0..<width { means[label][column] += Double(data.features[row, column]) / Double(rows.count) }
      }
    }
    var covariance = [[Double]](repeating: [Double](repeating: 0, count: width), count: width)
    for (row, label) in data.labels.enumerated() {
      let deviation = (0..<width).map { Double(data.features[row, $0]) - means[label][$0] }
      for i in 0..<width {
        for j in 0..<width {
          covariance[i][j] += (1 - shrinkage) * deviation[i] * deviation[j] / Double(data.labels.count)
        }
      }
    }
    for index in 0..<width { covariance[index][index] += shrinkage }
    let precision = Naive.inverse(covariance)
    return means.map { mean in
      var score = 0.0
      for (i, value) in query.enumerated() {
        for j in 0..<width { score += (Double(value) - mean[i] / 2) * precision[i][j] * mean[j] }
      }
      return score
    }
  }

  @Test func randomFeaturesAgreeWithTheKernelTheyApproximate() throws {
    let all = clusteredExamples(classes: 10, perClass: [130], width: 32, noise: 1.6, seed: 3)
    let data = all.selecting(all.labels.indices.filter { $0 % 130 < 30 })
    let test = all.selecting(all.labels.indices.filter { $0 % 130 >= 30 })
    let kernel = try ClosedForm.fit(data, options: ClosedFormOptions(method: .kernelRidge), pool: nil)
    let random = try ClosedForm.fit(
      data, options: ClosedFormOptions(method: .randomFeatures, randomFeatureCount: 4_000), pool: nil)
    let first = kernel.head.scores(test.features)
    let second = random.head.scores(test.features)
    let same = zip(answers(first), answers(second)).count { $0 == $1 }
    #expect(Double(same) / Double(test.labels.count) >= 0.97)
    #expect(abs(accuracy(first, test.labels) - accuracy(second, test.labels)) <= 0.01)
    #expect(accuracy(first, test.labels) > 0.7)
  }

  /// Groups of one example of each class leave the class weights as they are, so fitting again is exactly the same.
  @Test func randomFeaturesWithoutAGroupAreExact() throws {
    let data = clusteredExamples(classes: 3, perClass: [20], width: 8, noise: 1, seed: 6, groupsOf: 3)
    let options = ClosedFormOptions(method: .randomFeatures, randomFeatureCount: 48, seed: 3)
    let fitted = try ClosedForm.fit(data, options: options, pool: nil)
    let scores = try #require(fitted.leaveOneOutScores)
    let groups = data.groups ?? Array(data.labels.indices)
    var compared = 0
    for left in data.labels.indices {
      let rest = data.selecting(data.labels.indices.filter { groups[$0] != groups[left] })
      let without = try ClosedForm.fit(rest, options: options, pool: nil)
      guard without.lambda == fitted.lambda else { continue }
      compared += 1
      let expected = without.head.scores(data.features.selectingRows([left]))
      // The candidates were compared in single precision, and these are the scores of that comparison.
      #expect(largestDifference(scores.selectingRows([left]), expected) < 5e-4)
    }
    #expect(compared > 10)
  }

  /// All examples are taken in two chunks, those outside the group in one.
  @Test func randomFeaturesOfSeveralChunksOfExamplesAreExact() throws {
    var data = clusteredExamples(classes: 3, perClass: [1_400], width: 6, noise: 1, seed: 8)
    data.groups = data.labels.indices.map { $0 % 1_400 < 35 ? 0 : $0 + 1 }
    let members = data.labels.indices.filter { $0 % 1_400 < 35 }
    let options = ClosedFormOptions(method: .randomFeatures, randomFeatureCount: 300)
    let fitted = try ClosedForm.fit(data, options: options, pool: nil)
    let rest = data.selecting(data.labels.indices.filter { $0 % 1_400 >= 35 })
    let without = try ClosedForm.fit(rest, options: options, pool: nil)
    try #require(without.lambda == fitted.lambda)
    let scores = try #require(fitted.leaveOneOutScores).selectingRows(members)
    #expect(largestDifference(scores, without.head.scores(data.features.selectingRows(members))) < 2e-3)
  }

  @Test func automaticGoesOverToRandomFeaturesAtTheCrossing() throws {
    let data = clusteredExamples(classes: 2, perClass: [5], width: 4, noise: 1, seed: 4)
    for (crossing, method) in [(11, ClosedFormMethod.kernelRidge), (10, .randomFeatures)] {
      let options = ClosedFormOptions(crossing: crossing, randomFeatureCount: 16)
      let fitted = try ClosedForm.fit(data, options: options, pool: nil)
      #expect(fitted.method == method)
    }
  }

  @Test func automaticNeverTakesADualFormThatIsTooLarge() throws {
    let count = ClosedFormOptions.largestDualForm
    let data = clusteredExamples(classes: 2, perClass: [count / 2], width: 2, noise: 1, seed: 4)
    let options = ClosedFormOptions(crossing: 1_000_000, randomFeatureCount: 4)
    #expect(try ClosedForm.fit(data, options: options, pool: nil).method == .randomFeatures)
  }
}
