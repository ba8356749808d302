import CLModels
import Tensor
import Testing

/// Prompts on a tiny random backbone, trained together with their heads.
@Suite struct SoftmaxTrainingTests {
  /// Frozen pictures of classes 10, 20..., each a pattern of its own under noise; the last class is the new task.
  struct Material {
    let backbone: VisionTransformer
    let back: TransposedBackbone
    let frozen: [FrozenTokens]
    let features: Matrix<Float>
    let labels: [Int]
    let layout = PromptLayout(
      groups: [.init(rows: 1, readsTasks: false), .init(rows: 1, readsTasks: true)], isDeep: true)
    let start: [Float]
    let preferred: Set<Int> = [30, 40]

    init(each: Int = 10) throws {
      backbone = try GoldenBackbone("clip").load(.int8)
      back = try backbone.transposed()
      var generator = SeededGenerator(seed: 20)
      let side = backbone.description.resolution
      let count = side * side * 3
      var frozen: [FrozenTokens] = []
      var features: [[Float]] = []
      var labels: [Int] = []
      for label in [10, 20, 30, 40] {
        let pattern = (0..<count).map { _ in generator.nextGaussian() }
        for _ in 0..<each {
          let pixels = pattern.map { UInt8(max(0, min(255, 128 + 25 * $0 + 60 * generator.nextGaussian()))) }
          let (feature, tokens) = backbone.freeze(RGBImage(width: side, height: side, pixels: pixels)) {}
          frozen.append(tokens)
          features.append(feature)
          labels.append(label)
        }
      }
      self.frozen = frozen
      self.features = Matrix(features)
      self.labels = labels
      start = layout.groups.flatMap { [backbone] in
        PromptLayout.start(rows: $0.rows, backbone: backbone, isDeep: true, noise: 0.02, generator: &generator)
      }
    }

    var width: Int { backbone.description.featureWidth }

    /// z of both groups before training, of length 1: one matrix a group.
    var startFeatures: [Matrix<Float>] {
      let all = PromptedBackbone(backbone, layout: layout, parameters: start).promptFeatures(frozen) {}
      return [0, 1].map { group in
        Matrix((0..<all.rows).map { Array(all.row($0)[(all.columns * $0 + group * width)...].prefix(width)) })
      }
    }

    /// A head over two old classes, the later one first, and what it says.
    var teacher: PromptTeacher {
      var generator = SeededGenerator(seed: 9)
      let rows = (0..<2 * width).map { _ in Float(generator.nextGaussian()) }
      return PromptTeacher(
        head: CosineRows(labels: [20, 10], rows: Matrix(rows: 2, columns: width, storage: rows), logScale: 2.5),
        features: startFeatures[1])
    }

    func training(
      _ options: SourceTrainingOptions, teacher: PromptTeacher? = nil, pool: ComputePool
    ) -> SourceTraining {
      SourceTraining(
        .prompts(
          backbone, back: back, layout: layout, earlierRows: 0, tokens: { [frozen] in (frozen[$0], nil) }),
        start: start,
        set: SourceTrainingSet(features: features, labels: labels, preferred: preferred, teacher: teacher),
        options: options, pool: pool)
    }
  }

  static func options(steps: Int, isFewShot: Bool = false, size: Int = 40) -> SourceTrainingOptions {
    var options = SourceTrainingOptions()
    options.objective = .softmax(SoftmaxObjective(isFewShot: isFewShot))
    options.steps = steps
    options.learningRate = 3e-3
    options.examplesPerEpisode = size
    return options
  }

  @Test(arguments: [false, true])
  func theLossFalls(isFewShot: Bool) throws {
    let material = try Material()
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let training = material.training(Self.options(steps: 30, isFewShot: isFewShot), pool: pool)
    #expect(training.isUsable && training.heads.isEmpty)
    let losses = finishTraining(training)
    #expect(losses.count == 30)
    #expect(losses.suffix(3).reduce(0, +) / 3 < 0.7 * losses[0], "\(losses)")
    #expect(training.state.logScales.allSatisfy { $0 != 3 })
    let heads = training.heads
    #expect(heads.map(\.labels) == [[30, 40], [10, 20, 30, 40]])
    #expect(heads.map(\.isLocal) == [true, false])
  }

  /// A rate of zero shows what training starts from.
  @Test func oldRowsKeepTheirStartAndNewOnesStartAtTheirClassMean() throws {
    let material = try Material()
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    var options = Self.options(steps: 1)
    options.learningRate = 0
    let teacher = material.teacher
    let training = material.training(options, teacher: teacher, pool: pool)
    #expect(training.step() != nil)
    let heads = training.heads
    #expect(heads[1].labels == [20, 10, 30, 40])
    #expect(heads[1].logScale == 2.5 && heads[0].logScale == 3)
    #expect(heads[1].rows.selectingRows([0, 1]) == teacher.head.rows)
    let z = material.startFeatures
    func mean(_ group: Int, _ isIn: (Int) -> Bool) -> [Double] {
      let members = material.labels.indices.filter { isIn(material.labels[$0]) }
      return (0..<material.width).map { column in members.reduce(0.0) { $0 + Double(z[group][$1, column]) } }
    }
    let expected: [(group: Int, row: Int, mean: [Double])] = [
      (1, 2, mean(1) { $0 == 30 }), (1, 3, mean(1) { $0 == 40 }), (0, 0, mean(0) { $0 == 30 }),
      (0, 1, mean(0) { $0 == 40 }), (0, 2, mean(0) { $0 < 30 }),
    ]
    for (group, row, mean) in expected {
      #expect(cosine(heads[group].rows.row(row), mean.map(Float.init)) > 1 - 1e-6, "row \(row) of group \(group)")
    }
  }

  @Test func whatTheTeacherSaysMattersOnlyWithManyShots() throws {
    let material = try Material()
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let silent = PromptTeacher(head: material.teacher.head, logits: nil)
    for isFewShot in [false, true] {
      let states = [material.teacher, silent].map { teacher in
        let training = material.training(
          Self.options(steps: 3, isFewShot: isFewShot), teacher: teacher, pool: pool)
        _ = finishTraining(training)
        return training.state
      }
      #expect((states[0] == states[1]) == isFewShot)
    }
  }

  @Test func theSameSeedGivesTheSameBitsOnAnyNumberOfThreads() throws {
    let material = try Material()
    let states = [1, 3].map { workers in
      let pool = ComputePool(workers: workers)
      defer { pool.shutdown() }
      let training = material.training(Self.options(steps: 4, size: 25), teacher: material.teacher, pool: pool)
      _ = finishTraining(training)
      return training.state
    }
    #expect(states[0] == states[1])
  }

  @Test(arguments: [0, 1, 5])
  func aCheckpointGoesOnToTheSameBits(stop: Int) throws {
    let material = try Material()
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let options = Self.options(steps: 8, size: 25)
    let whole = material.training(options, teacher: material.teacher, pool: pool)
    _ = finishTraining(whole)
    let first = material.training(options, teacher: material.teacher, pool: pool)
    for _ in 0..<stop { _ = first.step() }
    let bytes = first.state.encoded()
    let read = try SourceTraining.State(bytes)
    #expect(read == first.state && read.encoded() == bytes)
    let second = material.training(options, teacher: material.teacher, pool: pool)
    #expect(second.restore(read))
    _ = finishTraining(second)
    #expect(second.state == whole.state)
    #expect(second.heads == whole.heads)
  }

  @Test func aCheckpointOfAnotherObjectiveIsRefused() throws {
    let material = try Material(each: 3)
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let softmax = material.training(Self.options(steps: 2), pool: pool)
    #expect(softmax.step() != nil)
    let ridge = material.training(SourceTrainingOptions(), pool: pool)
    #expect(!ridge.restore(softmax.state))
    #expect(ridge.heads.isEmpty)
    let bytes = softmax.state.encoded()
    for length in stride(from: 0, to: bytes.count, by: 97) {
      #expect(throws: LearnerError.self) { _ = try SourceTraining.State(Array(bytes[..<length])) }
    }
    #expect(throws: LearnerError.self) { _ = try SourceTraining.State(bytes + [0]) }
  }
}
