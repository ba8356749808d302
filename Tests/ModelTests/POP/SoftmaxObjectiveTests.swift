import CLModels
import Foundation
import Tensor
import Testing

@Suite struct SoftmaxObjectiveTests {
  /// A batch in double precision: z, a head's rows, T, and what an older head says.
  struct Batch {
    var features: Matrix<Double>
    var rows: Matrix<Double>
    var logScale = 1.2
    var teacher: Matrix<Double>?
    let labels: [Int]

    /// - Parameter old: classes of the teacher; 0 for none.
    init(examples: Int, classes: Int, old: Int, width: Int = 5, seed: UInt64) {
      var generator = SeededGenerator(seed: seed)
      func normal(_ rows: Int, _ columns: Int) -> Matrix<Double> {
        Matrix(rows: rows, columns: columns, storage: (0..<rows * columns).map { _ in 2 * generator.nextGaussian() })
      }
      features = normal(examples, width)
      rows = normal(classes, width)
      teacher = old > 0 ? normal(examples, old) : nil
      labels = (0..<examples).map { $0 % classes }
    }

    func value(_ objective: SoftmaxObjective, isLocal: Bool = false) -> CosineSoftmaxLoss.Value<Double> {
      objective.evaluate(
        features, rows: rows, isLocal: isLocal, logScale: logScale, labels: labels, teacherLogits: teacher)
    }

    private static func logSoftmax(_ logits: [Double]) -> [Double] {
      let total = log(logits.reduce(0) { $0 + exp($1) })
      return logits.map { $0 - total }
    }

    /// exp(T) cos(z, row), written out.
    private var logits: [[Double]] {
      (0..<features.rows).map { example in
        (0..<rows.rows).map { row in
          exp(logScale) * cosine(features.row(example), rows.row(row))
        }
      }
    }

    private func cosine(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
      func dot(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
      return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }

    var crossEntropy: Double {
      zip(logits, labels).reduce(0) { $0 - Self.logSoftmax($1.0)[$1.1] } / Double(labels.count)
    }

    /// tau^2 KL(teacher || head) over the teacher's classes.
    func distillation(tau: Double) -> Double {
      guard let teacher else { return 0 }
      return logits.enumerated().reduce(0) { sum, pair in
        let new = Self.logSoftmax(pair.element.prefix(teacher.columns).map { $0 / tau })
        let old = Self.logSoftmax(teacher.row(pair.offset).map { $0 / tau })
        return sum + tau * tau * zip(old, new).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      } / Double(labels.count)
    }
  }

  /// Losses of two ways of writing the same sums in double precision.
  static let tolerance = 1e-12
  /// Central differences of 1e-5 leave about 1e-10 of curvature and 1e-11 of rounding.
  static let gradientTolerance = 1e-8

  @Test(arguments: [(0, false, false), (4, false, false), (4, true, false), (0, false, true)])
  func gradientsAreThoseOfFiniteDifferences(old: Int, isFewShot: Bool, isLocal: Bool) {
    let batch = Batch(examples: 9, classes: 6, old: old, seed: 3)
    let objective = SoftmaxObjective(isFewShot: isFewShot)
    let value = batch.value(objective, isLocal: isLocal)
    let step = 1e-5
    func slope(_ move: (inout Batch, Double) -> Void) -> Double {
      var (above, below) = (batch, batch)
      move(&above, step)
      move(&below, -step)
      return (above.value(objective, isLocal: isLocal).loss - below.value(objective, isLocal: isLocal).loss)
        / (2 * step)
    }
    for index in batch.features.storage.indices {
      let expected = slope { $0.features.storage[index] += $1 }
      #expect(abs(value.features.storage[index] - expected) < Self.gradientTolerance)
    }
    for index in batch.rows.storage.indices {
      let expected = slope { $0.rows.storage[index] += $1 }
      #expect(abs(value.rows.storage[index] - expected) < Self.gradientTolerance)
    }
    #expect(abs(value.logScale - slope { $0.logScale += $1 }) < Self.gradientTolerance)
  }

  @Test func theGlobalLossIsCrossEntropyAndTheShareOfOldClassesOfKD() {
    let batch = Batch(examples: 9, classes: 6, old: 4, seed: 4)
    let expected = batch.crossEntropy + 4.0 / 6 * batch.distillation(tau: 2)
    #expect(abs(batch.value(SoftmaxObjective()).loss - expected) < Self.tolerance)
    #expect(batch.distillation(tau: 2) > 0.1)
  }

  @Test func fewShotHasNoKD() {
    let batch = Batch(examples: 9, classes: 6, old: 4, seed: 5)
    var alone = batch
    alone.teacher = nil
    let fewShot = batch.value(SoftmaxObjective(isFewShot: true))
    #expect(abs(fewShot.loss - batch.crossEntropy) < Self.tolerance)
    #expect(fewShot.rows == alone.value(SoftmaxObjective()).rows)
    #expect(batch.value(SoftmaxObjective()).rows != fewShot.rows)
  }

  @Test func aLocalHeadCountsHalfAndIsTaughtByNobody() {
    let batch = Batch(examples: 9, classes: 6, old: 4, seed: 6)
    let value = batch.value(SoftmaxObjective(), isLocal: true)
    #expect(abs(value.loss - 0.5 * batch.crossEntropy) < Self.tolerance)
  }

  /// The teacher's own head in the teacher's place loses nothing to it.
  @Test func aHeadDoesNotDivergeFromItself() {
    let head = CosineRows(
      labels: [0, 1, 2], rows: clusteredExamples(classes: 3, perClass: [1], width: 5, noise: 1, seed: 7).features,
      logScale: 2)
    let examples = clusteredExamples(classes: 3, perClass: [4], width: 5, noise: 1, seed: 8)
    let teacher = PromptTeacher(head: head, features: examples.features)
    let taught = SoftmaxObjective().evaluate(
      examples.features, rows: head.rows, isLocal: false, logScale: head.logScale, labels: examples.labels,
      teacherLogits: teacher.logits)
    let alone = SoftmaxObjective().evaluate(
      examples.features, rows: head.rows, isLocal: false, logScale: head.logScale, labels: examples.labels,
      teacherLogits: nil)
    #expect(abs(taught.loss - alone.loss) < 1e-6)
  }

  @Test func weightsCountRowsManyTimes() {
    let batch = Batch(examples: 6, classes: 3, old: 0, seed: 9)
    // The first example three times, the others once: eight in all.
    let weights = [3, 1, 1, 1, 1, 1].map { $0 * 6.0 / 8 }
    let repeated = [0, 0, 0, 1, 2, 3, 4, 5]
    let weighted = CosineSoftmaxLoss.evaluate(
      batch.features, rows: batch.rows, logScale: batch.logScale, labels: batch.labels, exampleWeights: weights)
    let written = CosineSoftmaxLoss.evaluate(
      batch.features.selectingRows(repeated), rows: batch.rows, logScale: batch.logScale,
      labels: repeated.map { batch.labels[$0] })
    #expect(abs(weighted.loss - written.loss) < Self.tolerance)
    #expect(abs(weighted.logScale - written.logScale) < Self.tolerance)
    for (one, other) in zip(weighted.rows.storage, written.rows.storage) { #expect(abs(one - other) < Self.tolerance) }
  }
}

@Suite struct BatchSamplerTests {
  private static let labels = [Int](repeating: 0, count: 40) + [Int](repeating: 7, count: 3) + [9, 9, 9, 9, 9, 9]

  private func counts(isBalanced: Bool, size: Int, seed: UInt64 = 1) -> [Int: Int] {
    var generator = SeededGenerator(seed: seed)
    let batch = BatchSampler(labels: Self.labels, size: size, isBalanced: isBalanced).draw(&generator)
    #expect(Set(batch).count == batch.count && batch == batch.sorted())
    return batch.reduce(into: [:]) { $0[Self.labels[$1], default: 0] += 1 }
  }

  @Test func balancedBatchesTakeAsManyOfEveryClass() {
    #expect(counts(isBalanced: true, size: 9) == [0: 3, 7: 3, 9: 3])
    // Where a class has no more, the others give.
    #expect(counts(isBalanced: true, size: 15) == [0: 6, 7: 3, 9: 6])
    #expect(counts(isBalanced: true, size: 100) == [0: 40, 7: 3, 9: 6])
    #expect(counts(isBalanced: true, size: 4).values.max() == 2)
  }

  @Test func othersTakeExamplesAlike() {
    var total: [Int: Int] = [:]
    for seed in UInt64(0)..<200 { total.merge(counts(isBalanced: false, size: 10, seed: seed)) { $0 + $1 } }
    // 2000 draws of 40, 3 and 6 examples out of 49.
    #expect((1550...1710).contains(total[0, default: 0]))
    #expect((85...165).contains(total[7, default: 0]))
  }

  @Test func twoClassesAreNeeded() {
    #expect(!BatchSampler(labels: [1, 1], size: 2, isBalanced: true).isUsable)
    #expect(BatchSampler(labels: [1, 2], size: 2, isBalanced: true).isUsable)
  }
}
