import CLModels
import Tensor
import Testing

/// Features of several sources under one head.
@Suite struct FeatureMixtureTests {
  static let ridge = ClosedFormOptions(method: .kernelRidge)
  static let parts: [(columns: Range<Int>, weight: Double)] = [(0..<7, 0.3), (7..<19, 0.7)]
  static let mixture = FeatureMixture(parts.map { .init(columns: $0.columns, weight: Float($0.weight)) })

  /// Scores lie in about -1...1; single precision features and coefficients leave this much.
  static let scoreTolerance = 1e-4

  /// Two sources of other sizes: lengths within a source, and of one source beside the other, must not matter.
  static func examples(perClass: [Int], seed: UInt64, groupsOf groupSize: Int? = nil) -> LabelledFeatures {
    let one = clusteredExamples(
      classes: 4, perClass: perClass, width: 7, noise: 1.2, seed: seed, groupsOf: groupSize)
    let other = clusteredExamples(classes: 4, perClass: perClass, width: 12, noise: 0.9, seed: seed &+ 1000)
    let rows = (0..<one.labels.count).map { row in
      one.features.row(row).map { Float(1 + row % 3) * $0 } + other.features.row(row).map { 50 * $0 }
    }
    return LabelledFeatures(
      features: Matrix(rows), labels: one.labels, groups: one.groups, classCount: 4, mixture: mixture)
  }

  static func kernel(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double { Naive.mixedKernel(a, b, parts) }

  @Test func scoresEqualTheTextbookForm() throws {
    let data = Self.examples(perClass: [6, 9], seed: 1)
    let query = Self.examples(perClass: [5], seed: 2).features
    let fitted = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let expected = Naive.ridgeScores(
      data, lambda: try #require(fitted.lambda), weights: Naive.weights(data), query: query, kernel: Self.kernel)
    let scores = fitted.head.scores(query)
    for (row, line) in expected.enumerated() {
      for (label, score) in line.enumerated() {
        #expect(abs(Double(scores[row, label]) - score) < Self.scoreTolerance)
      }
    }
  }

  @Test(arguments: [nil, 3]) func leaveOneOutEqualsFittingWithoutTheGroup(groupSize: Int?) throws {
    let data = Self.examples(perClass: [4, 6], seed: 3, groupsOf: groupSize)
    let fitted = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let lambda = try #require(fitted.lambda)
    let scores = try #require(fitted.leaveOneOutScores)
    let groups = data.groups ?? Array(data.labels.indices)
    let weights = Naive.weights(data)
    for left in data.labels.indices {
      let kept = data.labels.indices.filter { groups[$0] != groups[left] }
      let expected = Naive.ridgeScores(
        data.selecting(kept), lambda: lambda, weights: kept.map { weights[$0] },
        query: data.features.selectingRows([left]), kernel: Self.kernel)[0]
      for label in 0..<4 { #expect(abs(Double(scores[left, label]) - expected[label]) < Self.scoreTolerance) }
    }
  }

  @Test func columnsOfNoSourceAreNotRead() throws {
    var data = Self.examples(perClass: [6], seed: 4)
    data.mixture = FeatureMixture([.init(columns: 2..<6, weight: 0.5), .init(columns: 9..<19, weight: 0.5)])
    let query = Self.examples(perClass: [5], seed: 5).features
    let head = try ClosedForm.fit(data, options: Self.ridge, pool: nil).head
    var other = query
    for row in 0..<query.rows {
      for column in [0, 1, 6, 7, 8] { other[row, column] = 1000 * Float(row - column) }
    }
    #expect(head.scores(query) == head.scores(other))
  }

  @Test func anyOrderAndSeveralBlocksGiveTheSameScores() throws {
    // More than one tile of the kernel, and more queries than are scored at once.
    let data = Self.examples(perClass: [80, 65], seed: 6, groupsOf: 2)
    let query = Self.examples(perClass: [40], seed: 7).features
    var generator = SeededGenerator(seed: 8)
    let order = Array(data.labels.indices).shuffled(using: &generator)
    let pool = ComputePool(workers: 3)
    defer { pool.shutdown() }
    let first = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    let second = try ClosedForm.fit(data.selecting(order), options: Self.ridge, pool: pool)
    #expect(first.head.scores(query) == second.head.scores(query))
    #expect(first.temperature == second.temperature && first.lambda == second.lambda)
    #expect(try #require(first.leaveOneOutScores).selectingRows(order) == second.leaveOneOutScores)
  }

  @Test func aStoredHeadGivesTheSameBits() throws {
    let head = try ClosedForm.fit(Self.examples(perClass: [6], seed: 9), options: Self.ridge, pool: nil).head
    let query = Self.examples(perClass: [30], seed: 10).features
    let bytes = head.encoded()
    #expect(bytes[8] == 5)
    let read = try HeadCoding.decode(bytes)
    #expect(read.scores(query) == head.scores(query))
    #expect(read.encoded() == bytes)
    #expect(read.featureWidth == 19 && read.classCount == 4)
  }

  @Test func oneSourceOfAllColumnsIsStoredAsBefore() throws {
    var data = Self.examples(perClass: [6], seed: 11)
    data.mixture = nil
    let before = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    data.mixture = FeatureMixture([.init(columns: 0..<19, weight: 1)])
    let whole = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    #expect(whole.head.encoded() == before.head.encoded())
    #expect(whole.head.encoded()[8] == 1)
    #expect(whole.leaveOneOutScores == before.leaveOneOutScores)
    // A part of the columns is no such source.
    data.mixture = FeatureMixture([.init(columns: 0..<18, weight: 1)])
    #expect(try ClosedForm.fit(data, options: Self.ridge, pool: nil).head.encoded()[8] == 5)
  }

  @Test(arguments: ClosedFormMethod.allCases.filter { $0 != .kernelRidge && $0 != .automatic })
  func otherMethodsTakeTheRowAsOneSource(method: ClosedFormMethod) throws {
    var data = Self.examples(perClass: [6], seed: 12)
    let query = Self.examples(perClass: [5], seed: 13).features
    let options = ClosedFormOptions(method: method, randomFeatureCount: 50)
    let mixed = try ClosedForm.fit(data, options: options, pool: nil)
    data.mixture = nil
    let plain = try ClosedForm.fit(data, options: options, pool: nil)
    #expect(mixed.head.scores(query) == plain.head.scores(query))
    #expect(mixed.leaveOneOutScores == plain.leaveOneOutScores && mixed.temperature == plain.temperature)
  }

  /// As the form for many examples is chosen by their number alone.
  @Test func manyExamplesTakeTheRowAsOneSource() throws {
    var data = Self.examples(perClass: [6], seed: 12)
    let query = Self.examples(perClass: [5], seed: 13).features
    let options = ClosedFormOptions(method: .automatic, crossing: 10, randomFeatureCount: 50)
    let mixed = try ClosedForm.fit(data, options: options, pool: nil)
    #expect(mixed.method == .randomFeatures)
    data.mixture = nil
    let plain = try ClosedForm.fit(data, options: options, pool: nil)
    #expect(mixed.head.scores(query) == plain.head.scores(query))
  }

  @Test(arguments: [[(0, 20)], [(0, 7), (7, 20)], [(0, 8), (7, 19)], [(7, 19), (0, 8)], [(0, 7), (0, 7)]])
  func sourcesThatDoNotFitTheFeaturesAreRefused(ranges: [(Int, Int)]) {
    var data = Self.examples(perClass: [3], seed: 14)
    data.mixture = FeatureMixture(ranges.map { .init(columns: $0.0..<$0.1, weight: 1 / Float(ranges.count)) })
    let error = #expect(throws: LearnerError.self) {
      _ = try ClosedForm.fit(data, options: Self.ridge, pool: nil)
    }
    guard case .invalid = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  // MARK: Hostile tables

  /// The bytes of a mixed head with other numbers in its table, which follows the format and the table's size.
  private static func stored(_ table: [Float], columns: Int = 3) throws -> [UInt8] {
    let bytes = try ClosedForm.fit(examples(perClass: [3], seed: 15), options: ridge, pool: nil).head.encoded()
    func words(_ values: [Int]) -> [UInt8] {
      values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }
    let numbers = table.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
    let own = 12 + 16 + 2 * 3 * 4
    return Array(bytes[..<12]) + words([table.count / columns, columns]) + numbers + bytes[own...]
  }

  @Test func aTableAsItIsWrittenIsRead() throws {
    let bytes = try Self.stored([0, 7, 0.3, 7, 19, 0.7])
    #expect(try HeadCoding.decode(bytes).encoded() == bytes)
    #expect(try HeadCoding.decode(Self.stored([3, 5, 0.5, 9, 10, 0.25, 18, 19, 0.25])).featureWidth == 19)
  }

  static let hostile: [[Float]] = [
    [.nan, 7, 0.3, 7, 19, 0.7], [0, .nan, 0.3, 7, 19, 0.7], [0, 7, .nan, 7, 19, 0.7], [0, .infinity, 0.3, 7, 19, 0.7],
    [0, 7, .infinity, 7, 19, 0.7], [0, 7, 0, 7, 19, 1], [0, 7, -0.3, 7, 19, 1.3], [0, 7, -0.0, 7, 19, 1],
    [0, 7, 0.3, 7, 20, 0.7], [0, 7, 0.3, 7, 1e30, 0.7], [-1, 7, 0.3, 7, 19, 0.7], [7, 7, 0.3, 7, 19, 0.7],
    [8, 7, 0.3, 8, 19, 0.7], [0, 6.5, 0.3, 7, 19, 0.7], [0.5, 7, 0.3, 7, 19, 0.7], [19, 20, 0.3, 0, 19, 0.7],
    // Columns in two sources.
    [0, 8, 0.3, 7, 19, 0.7], [0, 19, 0.5, 0, 19, 0.5], [7, 19, 0.5, 0, 8, 0.5],
    [0, 19, 0.4, 5, 6, 0.6],
  ]

  @Test(arguments: hostile)
  func hostileTablesAreRefused(table: [Float]) throws {
    let bytes = try Self.stored(table)
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes) }
  }

  @Test func tablesOfAnotherShapeAreRefused() throws {
    for columns in [1, 2, 6] {
      let bytes = try Self.stored([0, 7, 0.3, 7, 19, 0.7], columns: columns)
      #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes) }
    }
    let empty = try Self.stored([])
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(empty) }
  }
}
