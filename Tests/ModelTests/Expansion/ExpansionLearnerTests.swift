import CLModels
import Tensor
import Testing

private func options() -> ExpansionOptions {
  var options = ExpansionOptions()
  options.epochs = 30
  options.batch = 16
  options.learningRate = 5e-3
  options.tuningEpochs = 5
  options.shift = 0
  options.flips = false
  options.memory = 60
  return options
}

private func learned(_ path: NetworkShape.CrossTaskPath, heads: Int, workers: Int = 2) -> ExpansionLearner {
  let pool = ComputePool(workers: workers)
  defer { pool.shutdown() }
  let shape = ExpansionFixtures.small(path, headWidth: 8)
  let learner = ExpansionLearner(shape, options: options(), seed: 1, pool: pool)
  learner.learn(ExpansionFixtures.shades(shape, classes: 0..<2, each: 30, seed: 1), classes: 2, heads: 2)
  learner.learn(ExpansionFixtures.shades(shape, classes: 2..<4, each: 30, seed: 2), classes: 2, heads: heads)
  learner.learn(ExpansionFixtures.shades(shape, classes: 4..<6, each: 30, seed: 3), classes: 2, heads: heads)
  return learner
}

/// On images of all six classes that are not learned from.
private func accuracy(of learner: ExpansionLearner) -> Double {
  let asked = ExpansionFixtures.shades(learner.network.shape, classes: 0..<6, each: 10, seed: 9)
  return Double(zip(learner.predictions(asked.images), asked.labels).count { $0 == $1 }) / 60
}

@Suite struct ExpansionLearnerTests {
  @Test(arguments: NetworkShape.CrossTaskPath.allCases)
  func oldSlicesAreNeverTrained(path: NetworkShape.CrossTaskPath) {
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let shape = ExpansionFixtures.small(path, headWidth: 8)
    let learner = ExpansionLearner(shape, options: options(), seed: 1, pool: pool)
    learner.learn(ExpansionFixtures.shades(shape, classes: 0..<2, each: 30, seed: 1), classes: 2, heads: 2)
    let before = learner.network
    let input: Matrix<Float> = ExpansionFixtures.noise(shape, images: 4, seed: 5)
    learner.learn(ExpansionFixtures.shades(shape, classes: 2..<4, each: 30, seed: 2), classes: 2, heads: 1)
    #expect(learner.network.slices[0].parameters == before.slices[0].parameters)
    #expect(learner.network.tokens(input).selectingColumns([0..<16]) == before.tokens(input))
  }

  /// Three tasks of two classes that are easy to tell apart.
  @Test(arguments: [("dense", 1), ("independent", 1), ("joint", 1), ("dense", 0)])
  func tasksAreLearnedOneAfterAnother(path: String, heads: Int) throws {
    let learner = learned(try #require(NetworkShape.CrossTaskPath(rawValue: path)), heads: heads)
    #expect(accuracy(of: learner) > 0.9)
    #expect(learner.network.slices.count == (heads == 0 ? 1 : 3))
    #expect(learner.network.heads.classes == [2, 2, 2])
  }

  /// All classes as one task: what learning one task after another is compared with.
  @Test func allClassesAreLearnedTogether() {
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let shape = ExpansionFixtures.small(.dense, headWidth: 8)
    let learner = ExpansionLearner(shape, options: options(), seed: 1, pool: pool)
    // As wide as the network that has grown by a head a task.
    learner.learn(ExpansionFixtures.shades(shape, classes: 0..<6, each: 30, seed: 1), classes: 6, heads: 4)
    #expect(accuracy(of: learner) > 0.9)
    #expect(learner.network.slices.count == 1 && learner.network.heads.classes == [6])
    #expect(learner.memory.classes == 6)
  }

  @Test func whatIsLearnedDependsOnTheSeedAlone() {
    let (one, other) = (learned(.dense, heads: 1, workers: 1), learned(.dense, heads: 1, workers: 2))
    #expect(one.network.newest == other.network.newest)
  }

  @Test func theMemoryHoldsAsManyOfEveryClass() {
    let learner = learned(.dense, heads: 1)
    let all = learner.memory.all
    #expect(all.count == 60 && learner.memory.classes == 6)
    for label in 0..<6 { #expect(all.labels.count { $0 == label } == 10) }
  }

  @Test func aMemoryShrinksByTheEndOfEachClass() {
    var memory = ExemplarMemory(capacity: 6)
    let features = Matrix<Float>(rows: 4, columns: 2, storage: [1, 0, 0, 1, 1, 1, 1, 0.9])
    let images = (0..<4).map { [Float($0)] }
    memory.add(LabelledImages(images: images, labels: [0, 0, 0, 0]), count: 1, features: features)
    let before = memory.all
    memory.add(LabelledImages(images: images, labels: [1, 1, 2, 2]), count: 2, features: features)
    #expect(memory.all.labels == [0, 0, 1, 1, 2, 2])
    #expect(Array(memory.all.images.prefix(2)) == Array(before.images.prefix(2)))
  }
}
