import CLModels
import Tensor
import Testing

@Suite struct LargeGroupTests {
  /// Rows V, one column block and several, one chunk of members and several, both sides of members = columns.
  private static let sizes: [(Int, Int)] = [(1, 5), (9, 40), (40, 9), (33, 33), (270, 300), (300, 270), (2_100, 7)]

  /// The largest error of (I - V V^T) z = r when the solution z is put in; nil without a solution.
  private func largestError<Scalar: KernelScalar>(
    _: Scalar.Type, members: Int, columns: Int, scale: Double, tiles: TileRunner
  ) -> Double? {
    var generator = SeededGenerator(seed: UInt64(members * 1_000 + columns))
    let (before, rights) = (3, 17)
    let rows = CholeskyFactor<Scalar>(order: columns, furtherRows: before + members, tiles: tiles)
    let right = TileMemory<Scalar>(count: (before + members) * rights)
    for row in 0..<before + members {
      for column in 0..<columns { rows.row(columns + row)[column] = Scalar(scale * generator.nextGaussian()) }
      for label in 0..<rights { right.base[row * rights + label] = Scalar(generator.nextGaussian()) }
    }
    let group = LargeGroup(rows: rows, first: columns + before, count: members, tiles: tiles)
    guard let solution = group.solve(right: right, from: before, rights: rights) else { return nil }
    var largest = 0.0
    for label in 0..<rights {
      var projected = [Double](repeating: 0, count: columns)
      for member in 0..<members {
        let row = rows.row(columns + before + member)
        for column in 0..<columns { projected[column] += Double(row[column]) * solution[member * rights + label] }
      }
      for member in 0..<members {
        let row = rows.row(columns + before + member)
        var value = solution[member * rights + label]
        for column in 0..<columns { value -= Double(row[column]) * projected[column] }
        largest = max(largest, abs(value - Double(right.base[(before + member) * rights + label])))
      }
    }
    return largest
  }

  @Test(arguments: sizes) func theSolutionSolvesTheSystem(members: Int, columns: Int) throws {
    // Keeps V's largest singular value near .7.
    let scale = 0.7 / (Double(members).squareRoot() + Double(columns).squareRoot())
    let pool = ComputePool(workers: 3)
    defer { pool.shutdown() }
    for tiles in [TileRunner(pool: nil), TileRunner(pool: pool)] {
      let double = largestError(Double.self, members: members, columns: columns, scale: scale, tiles: tiles)
      #expect(try #require(double) < 1e-12)
      let single = largestError(Float.self, members: members, columns: columns, scale: scale, tiles: tiles)
      #expect(try #require(single) < 1e-5)
    }
  }

  @Test func aSystemThatIsNotPositiveDefiniteHasNoSolution() {
    for (members, columns) in [(9, 40), (40, 9)] {
      let tiles = TileRunner(pool: nil)
      #expect(largestError(Double.self, members: members, columns: columns, scale: 1, tiles: tiles) == nil)
    }
  }

  /// 600 of 660 examples are one group: with 48 features its system is solved by columns, with 700 by members. Groups
  /// take as many of each class, so that fitting again is exactly the same.
  @Test(arguments: [48, 700]) func randomFeaturesWithoutALargeGroupAreExact(featureCount: Int) throws {
    let options = ClosedFormOptions(method: .randomFeatures, randomFeatureCount: featureCount)
    var compared = 0
    for seed in 1...8 as ClosedRange<UInt64> where compared == 0 {
      var data = clusteredExamples(classes: 3, perClass: [220], width: 8, noise: 1, seed: seed)
      data.groups = data.labels.indices.map { $0 % 220 < 200 ? 0 : $0 % 220 }
      let members = data.labels.indices.filter { $0 % 220 < 200 }
      let fitted = try ClosedForm.fit(data, options: options, pool: nil)
      let rest = data.selecting(data.labels.indices.filter { $0 % 220 >= 200 })
      let without = try ClosedForm.fit(rest, options: options, pool: nil)
      guard without.lambda == fitted.lambda else { continue }
      compared += 1
      let scores = try #require(fitted.leaveOneOutScores).selectingRows(members)
      let expected = without.head.scores(data.features.selectingRows(members))
      #expect(largestDifference(scores, expected) < 2e-3)
    }
    #expect(compared > 0)
  }

  /// Groups of whole classes, with more members than features are wide.
  @Test func sharedCovarianceWithoutAClassIsFittedToTheOthers() throws {
    var data = clusteredExamples(classes: 3, perClass: [9, 7, 12], width: 6, noise: 1, seed: 2)
    data.groups = data.labels
    let options = ClosedFormOptions(method: .sharedCovariance)
    let scores = try #require(try ClosedForm.fit(data, options: options, pool: nil).leaveOneOutScores)
    for (row, label) in data.labels.enumerated() {
      let others = (0..<3).filter { $0 != label }.map { scores[row, $0] }
      #expect(scores[row, label] == others.min())
      #expect(others[0] != others[1])
    }
  }

  @Test(arguments: ClosedFormMethod.allCases, [12, 200]) func nothingIsLearntWithoutAGroupThatIsEverything(
    method: ClosedFormMethod, perClass: Int
  ) throws {
    var data = clusteredExamples(classes: 3, perClass: [perClass], width: 8, noise: 0.3, seed: 4)
    data.groups = data.labels.map { _ in 7 }
    let fitted = try ClosedForm.fit(
      data, options: ClosedFormOptions(method: method, randomFeatureCount: 20), pool: nil)
    let none: Float = method == .nearestClassMean ? -1 : 0
    #expect(try #require(fitted.leaveOneOutScores).storage.allSatisfy { $0 == none })
    #expect(accuracy(fitted.head.scores(data.features), data.labels) > 0.9)
    #expect(fitted.temperature != 1)
  }
}
