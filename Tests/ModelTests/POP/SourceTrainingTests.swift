import CLModels
import Tensor
import Testing

@Suite struct SourceTrainingTests {
  /// Frozen pictures of four classes, each a pattern of its own under noise, on a tiny random backbone.
  struct Material {
    let backbone: VisionTransformer
    let back: TransposedBackbone
    let set: SourceTrainingSet
    let tokens: PromptTokens
    let examples: Int

    init(_ precision: BackbonePrecision = .int8, classes: Int = 4, each: Int = 15, earlier: Int = 0) throws {
      backbone = try GoldenBackbone("clip").load(precision)
      back = try backbone.transposed()
      var generator = SeededGenerator(seed: 20)
      let side = backbone.description.resolution
      let count = side * side * 3
      var frozen: [FrozenTokens] = []
      var features: [[Float]] = []
      var labels: [Int] = []
      for label in 0..<classes {
        let pattern = (0..<count).map { _ in generator.nextGaussian() }
        for _ in 0..<each {
          let pixels = pattern.map { UInt8(max(0, min(255, 128 + 25 * $0 + 60 * generator.nextGaussian()))) }
          let (feature, tokens) = backbone.freeze(RGBImage(width: side, height: side, pixels: pixels)) {}
          frozen.append(tokens)
          features.append(feature)
          labels.append(label)
        }
      }
      var rows: [FrozenTokens]?
      if earlier > 0 {
        let layout = promptLayout([(earlier, false)], isDeep: true)
        rows = PromptedBackbone(
          backbone, layout: layout, parameters: promptParameters(layout, backbone, seed: 30)
        ).frozenRows(frozen) {}
      }
      examples = labels.count
      set = SourceTrainingSet(
        features: Matrix(features), labels: labels, preferred: [classes - 1])
      tokens = { [frozen, rows] in (frozen[$0], rows?[$0]) }
    }

    func training(
      _ layout: PromptLayout, options: SourceTrainingOptions, pool: ComputePool, earlier: Int = 0
    ) -> SourceTraining {
      var generator = SeededGenerator(seed: options.seed)
      let start = layout.groups.flatMap { group in
        PromptLayout.start(
          rows: group.rows, backbone: backbone, isDeep: layout.isDeep, noise: options.startNoise,
          generator: &generator)
      }
      return SourceTraining(
        .prompts(backbone, back: back, layout: layout, earlierRows: earlier, tokens: tokens), start: start, set: set,
        options: options, pool: pool)
    }
  }

  static let layout = promptLayout([taskRow, globalRow], isDeep: true)

  /// Every episode is the whole set, in three chunks: losses of two steps differ by what was learned alone.
  static func options(steps: Int) -> SourceTrainingOptions {
    var options = SourceTrainingOptions()
    options.steps = steps
    options.learningRate = 3e-3
    options.classesPerEpisode = 4
    options.examplesPerEpisode = 60
    return options
  }

  /// Thirty steps on a tiny random backbone get this far with room to spare.
  static let fallen = 0.95

  @Test(arguments: BackbonePrecision.allCases, [true, false])
  func theLossFalls(precision: BackbonePrecision, isDeep: Bool) throws {
    let material = try Material(precision)
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let layout = promptLayout([taskRow, globalRow], isDeep: isDeep)
    let training = material.training(layout, options: Self.options(steps: 30), pool: pool)
    #expect(training.isUsable && !training.isDone)
    let first = try #require(training.step())
    #expect(first.step == 0 && first.examples == 60 && first.correct.count == 2)
    let losses = [first.loss] + finishTraining(training)
    #expect(losses.count == 30 && training.state.step == 30)
    let last = losses.suffix(3).reduce(0, +) / 3
    #expect(last < Self.fallen * first.loss, "\(losses)")
    #expect(training.state.logScales.allSatisfy { $0 != 3 })
  }

  @Test func theLossFallsBesideEarlierTasks() throws {
    let material = try Material(earlier: 3)
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let training = material.training(Self.layout, options: Self.options(steps: 30), pool: pool, earlier: 3)
    let losses = finishTraining(training)
    #expect(losses.suffix(3).reduce(0, +) / 3 < Self.fallen * losses[0], "\(losses)")
    // The same tasks without what earlier ones say lead elsewhere.
    let without = try Material().training(Self.layout, options: Self.options(steps: 1), pool: pool)
    #expect(try #require(without.step()).loss != losses[0])
  }

  @Test func theSameSeedGivesTheSameBitsOnAnyNumberOfThreads() throws {
    let material = try Material()
    var states: [SourceTraining.State] = []
    for workers in [1, 2, 3] {
      let pool = ComputePool(workers: workers)
      defer { pool.shutdown() }
      let training = material.training(Self.layout, options: Self.options(steps: 6), pool: pool)
      _ = finishTraining(training)
      states.append(training.state)
    }
    #expect(states[0] == states[1] && states[0] == states[2])
    var options = Self.options(steps: 6)
    options.seed = 2
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let other = material.training(Self.layout, options: options, pool: pool)
    _ = finishTraining(other)
    #expect(other.state != states[0])
  }

  @Test(arguments: [1, 4, 7])
  func aStateTakenUpAgainGoesOnToTheSameBits(stop: Int) throws {
    let material = try Material()
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    // Episodes smaller than the set: which are drawn must not depend on where training began.
    var options = Self.options(steps: 8)
    options.classesPerEpisode = 3
    options.examplesPerEpisode = 24
    let whole = material.training(Self.layout, options: options, pool: pool)
    _ = finishTraining(whole)
    let first = material.training(Self.layout, options: options, pool: pool)
    for _ in 0..<stop { _ = first.step() }
    let second = material.training(Self.layout, options: options, pool: pool)
    #expect(second.restore(first.state))
    #expect(second.state.step == stop)
    _ = finishTraining(second)
    #expect(second.state == whole.state)
  }

  @Test func aStateOfAnotherShapeIsRefused() throws {
    let material = try Material(each: 2)
    let pool = ComputePool(workers: 1)
    defer { pool.shutdown() }
    let training = material.training(Self.layout, options: Self.options(steps: 2), pool: pool)
    let before = training.state
    for groups in [[taskRow], [taskRow, taskRow, globalRow], [(2, false), globalRow]] {
      let other = material.training(
        promptLayout(groups, isDeep: true), options: Self.options(steps: 2), pool: pool)
      #expect(!training.restore(other.state))
    }
    #expect(training.state == before)
  }

  /// A step whose loss is no number is dropped, and training goes on with the next.
  @Test func aStepWithoutALossChangesNothing() throws {
    let good = try Material(each: 3)
    let pool = ComputePool(workers: 1)
    defer { pool.shutdown() }
    let broken = SourceTrainingSet(
      features: good.set.features.mapElements { _ in .nan }, labels: good.set.labels, preferred: [])
    let options = Self.options(steps: 3)
    let start = promptParameters(Self.layout, good.backbone, seed: 1)
    let training = SourceTraining(
      .prompts(good.backbone, back: good.back, layout: Self.layout, earlierRows: 0, tokens: good.tokens), start: start,
      set: broken, options: options, pool: pool)
    #expect(training.step() == nil)
    #expect(training.state.parameters == start && training.state.step == 1)
    #expect(training.state.moments.step == 0)
  }

  /// Two examples of every class are more than was asked for.
  @Test func episodesOfManyClassesHaveRoom() throws {
    let material = try Material(classes: 40, each: 2)
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    var options = Self.options(steps: 1)
    options.classesPerEpisode = 40
    options.examplesPerEpisode = 10
    let training = material.training(promptLayout([taskRow], isDeep: false), options: options, pool: pool)
    #expect(try #require(training.step()).examples <= 10)
  }

  @Test func startsAreTheClassTokenPlusNoise() throws {
    let backbone = try GoldenBackbone("clip").load(.int8)
    let token = backbone.classTokenStart
    let width = backbone.description.width
    #expect(token.count == width)
    var generator = SeededGenerator(seed: 1)
    let plain = PromptLayout.start(rows: 2, backbone: backbone, isDeep: true, noise: 0, generator: &generator)
    #expect(plain.count == 3 * 2 * width)
    #expect(Array(plain.prefix(2 * width)) == token + token)
    #expect(plain.dropFirst(2 * width).allSatisfy { $0 == 0 })
    let noisy = PromptLayout.start(rows: 1, backbone: backbone, isDeep: false, noise: 0.02, generator: &generator)
    #expect(noisy.count == width)
    let spread = zip(noisy, token).map { Double($0 - $1) }.reduce(0) { $0 + $1 * $1 } / Double(width)
    #expect((0.01...0.03).contains(spread.squareRoot()))
  }
}
