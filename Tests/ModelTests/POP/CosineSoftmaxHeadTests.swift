import CLModels
import Foundation
import Tensor
import Testing

@Suite struct CosineSoftmaxHeadTests {
  private static let width = 11
  private static let global = CosineRows(
    labels: [2, 0, 3], rows: normal(3, 5, seed: 1), logScale: 1.5)
  private static let locals = [
    (head: CosineRows(labels: [3, 0], rows: normal(3, 4, seed: 2), logScale: 0.5), columns: 0..<4),
    (head: CosineRows(labels: [2], rows: normal(2, 2, seed: 3), logScale: 2), columns: 4..<6),
  ]

  private static func normal(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Float> {
    var generator = SeededGenerator(seed: seed)
    return Matrix(
      rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in Float(generator.nextGaussian()) })
  }

  private static let heads: [CosineSoftmaxHead] = [[], locals].map {
    CosineSoftmaxHead(global: global, columns: 6..<11, locals: $0, classCount: 4, featureWidth: width)
  }

  private let query = normal(20, width, seed: 4)

  /// exp(T) times the cosine, written out.
  private func logits(_ head: CosineRows, _ columns: Range<Int>, row: Int) -> [Double] {
    (0..<head.rows.rows).map {
      exp(Double(head.logScale)) * cosine(columns.map { query[row, $0] }, head.rows.row($0))
    }
  }

  private func softmax(_ logits: [Double]) -> [Double] {
    let total = logits.reduce(0) { $0 + exp($1) }
    return logits.map { exp($0) / total }
  }

  @Test func globalScoresAreScaledCosines() {
    let scores = Self.heads[0].scores(query)
    for row in 0..<query.rows {
      let expected = logits(Self.global, 6..<11, row: row)
      for (index, label) in Self.global.labels.enumerated() {
        #expect(abs(Double(scores[row, label]) - expected[index]) < 1e-5)
      }
      // A class without a row is never the answer.
      #expect(scores[row, 1] <= scores.row(row).min() ?? 0)
    }
  }

  @Test func localHeadsAddTheirProbabilities() {
    let scores = Self.heads[1].scores(query)
    for row in 0..<query.rows {
      var logits = logits(Self.global, 6..<11, row: row)
      logits.append(-exp(Double(Self.global.logScale)))
      let global = softmax(logits)
      var expected = [global[1], global[3], global[0], global[2]]
      for (head, columns) in Self.locals {
        let own = softmax(self.logits(head, columns, row: row))
        for (index, label) in head.labels.enumerated() { expected[label] += own[index] / 2 }
      }
      for label in 0..<4 { #expect(abs(exp(Double(scores[row, label])) - expected[label]) < 1e-5) }
    }
  }

  @Test(arguments: [0, 1])
  func aStoredHeadGivesTheSameScores(index: Int) throws {
    let head = Self.heads[index]
    let bytes = head.encoded()
    let read = try HeadCoding.decode(bytes)
    #expect(read.scores(query) == head.scores(query))
    #expect(read.encoded() == bytes)
    #expect(read.classCount == 4 && read.featureWidth == Self.width)
  }

  @Test(arguments: [0, 1])
  func everyShortenedOrLengthenedHeadIsRefused(index: Int) {
    let bytes = Self.heads[index].encoded()
    for length in 0..<bytes.count {
      #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(Array(bytes[..<length])) }
    }
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes + [0]) }
  }

  @Test func hostileBytesNeverTrap() {
    var generator = SeededGenerator(seed: 5)
    let bytes = Self.heads[1].encoded()
    for _ in 0..<3000 {
      var broken = bytes
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = 12 + Int.random(in: 0..<broken.count - 12, using: &generator)
        broken[place] = UInt8.random(in: 0...255, using: &generator)
      }
      guard let read = try? HeadCoding.decode(broken), read.featureWidth == Self.width else { continue }
      #expect(read.scores(query).columns == read.classCount)
    }
  }

  /// Places of numbers in the bytes: the row's width, the count of local heads, the source's first column, T.
  @Test(arguments: [
    (12, 0), (12, 1 << 32), (12, 10), (20, 7), (20, UInt64.max), (28, 7), (28, 1 << 62), (36, 0x7FC0_0000),
    (36, 0x4200_0000), (36, 1 << 32), (44, 0), (44, 1 << 40),
  ])
  func numbersOutOfRangeAreRefused(place: Int, number: UInt64) {
    var bytes = Self.heads[1].encoded()
    for index in 0..<8 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes) }
  }

  /// The last number is the class of the last local head's only row.
  @Test func aRowOfNoClassIsRefused() {
    var bytes = Self.heads[1].encoded()
    bytes[bytes.count - 8] = 4
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes) }
  }
}

@Suite struct CosineSoftmaxFitTests {
  private func correct(_ fitted: FittedHead, _ data: LabelledFeatures) -> Int {
    let scores = fitted.head.scores(data.features)
    return data.labels.indices.count { scores.columnOfLargest(inRow: $0) == data.labels[$0] }
  }

  @Test func clustersAreTold() throws {
    let data = clusteredExamples(classes: 6, perClass: [30], width: 12, noise: 0.4, seed: 1)
    // Around the same directions: the generator begins alike.
    let held = data.selecting(data.labels.indices.filter { $0 % 3 == 0 })
    let fitted = try CosineSoftmaxFit.fit(data.selecting(data.labels.indices.filter { $0 % 3 != 0 }))
    #expect(correct(fitted, held) >= held.labels.count - 1)
    #expect(fitted.leaveOneOutScores == nil && fitted.method == nil && fitted.lambda == nil)
    #expect(fitted.temperature > 0 && fitted.temperature.isFinite)
  }

  @Test func trainingLowersTheLossOfTheMeans() throws {
    let data = clusteredExamples(classes: 5, perClass: [20], width: 8, noise: 1, seed: 2)
    var options = CosineSoftmaxFit.Options()
    func loss(_ steps: Int) throws -> Float {
      options.steps = steps
      let scores = try CosineSoftmaxFit.fit(data, options: options).head.scores(data.features)
      return CrossEntropy.forward(scores, labels: data.labels, logScale: 0).loss
    }
    let untrained = try loss(0)
    #expect(try loss(200) < 0.8 * untrained)
  }

  @Test func theSameExamplesInAnyOrderGiveTheSameHead() throws {
    let data = clusteredExamples(classes: 3, perClass: [9, 4], width: 6, noise: 1, seed: 3)
    for batch in [1024, 7] {
      var options = CosineSoftmaxFit.Options()
      options.steps = 20
      options.batch = batch
      let first = try CosineSoftmaxFit.fit(data, options: options)
      let turned = try CosineSoftmaxFit.fit(
        data.selecting(Array(data.labels.indices.reversed())), options: options)
      #expect(first.head.encoded() == turned.head.encoded())
      #expect(first.temperature == turned.temperature)
      options.seed = 2
      let other = try CosineSoftmaxFit.fit(data, options: options)
      #expect((other.head.encoded() == first.head.encoded()) == (batch == 1024))
    }
  }

  @Test func oneSourceOfARowIsRead() throws {
    let data = clusteredExamples(classes: 3, perClass: [6], width: 6, noise: 1, seed: 4)
    var wide = data
    wide.features = Matrix((0..<data.labels.count).map { [Float($0), -3] + Array(data.features.row($0)) + [7] })
    wide.mixture = FeatureMixture([.init(columns: 2..<8, weight: 1)])
    let narrow = try CosineSoftmaxFit.fit(data)
    let fitted = try CosineSoftmaxFit.fit(wide)
    #expect(fitted.head.featureWidth == 9)
    let (scores, expected) = (fitted.head.scores(wide.features), narrow.head.scores(data.features))
    for (one, other) in zip(scores.storage, expected.storage) { #expect(abs(one - other) < 1e-2) }
    wide.mixture = FeatureMixture([.init(columns: 2..<5, weight: 0.5), .init(columns: 5..<8, weight: 0.5)])
    #expect(throws: LearnerError.self) { _ = try CosineSoftmaxFit.fit(wide) }
  }

  @Test func aClassWithoutExamplesIsNeverTheAnswer() throws {
    var data = clusteredExamples(classes: 3, perClass: [6], width: 6, noise: 1, seed: 5)
    data.classCount = 5
    data.labels = data.labels.map { $0 + ($0 > 0 ? 1 : 0) }
    let fitted = try CosineSoftmaxFit.fit(data)
    let scores = fitted.head.scores(data.features.mapElements { -$0 })
    #expect(scores.columns == 5)
    for row in 0..<scores.rows { #expect(![1, 4].contains(scores.columnOfLargest(inRow: row))) }
  }

  /// The temperature comes from examples that the head it is fitted on has not seen.
  @Test func noisyFeaturesAreAnsweredWithLessCertainty() throws {
    func temperature(noise: Double) throws -> Float {
      try CosineSoftmaxFit.fit(
        clusteredExamples(classes: 4, perClass: [25], width: 30, noise: noise, seed: 6)
      ).temperature
    }
    #expect(try temperature(noise: 4) > 1)
    #expect(try temperature(noise: 0.5) < temperature(noise: 4))
  }

  @Test func oneExampleAClassIsEnough() throws {
    let data = clusteredExamples(classes: 4, perClass: [1], width: 6, noise: 1, seed: 7)
    let fitted = try CosineSoftmaxFit.fit(data)
    #expect(fitted.temperature == 1)
    #expect(correct(fitted, data) == 4)
  }

  @Test func featuresThatAreNoNumbersAreRefused() {
    var data = clusteredExamples(classes: 2, perClass: [3], width: 4, noise: 1, seed: 8)
    data.features[2, 1] = .nan
    #expect(throws: LearnerError.notFinite(example: 2)) { _ = try CosineSoftmaxFit.fit(data) }
  }
}
