import CLModels
import Tensor
import Testing

/// Pictures of four classes, each a pattern of its own under noise, on a tiny random backbone.
private struct Material {
  let backbone: VisionTransformer
  let heads: [FrozenHeads]
  let set: SourceTrainingSet
  let earlier: [Expert]

  init(earlier count: Int = 0) throws {
    backbone = try GoldenBackbone("clip").load(.int8)
    var generator = SeededGenerator(seed: 20)
    let side = backbone.description.resolution
    var heads: [FrozenHeads] = []
    var features: [[Float]] = []
    var labels: [Int] = []
    for label in 0..<4 {
      let pattern = (0..<side * side * 3).map { _ in generator.nextGaussian() }
      for _ in 0..<15 {
        let pixels = pattern.map { UInt8(max(0, min(255, 128 + 25 * $0 + 60 * generator.nextGaussian()))) }
        let frozen = backbone.freezeHeads(RGBImage(width: side, height: side, pixels: pixels), blocks: 2) {}
        heads.append(frozen.heads)
        features.append(frozen.feature)
        labels.append(label)
      }
    }
    self.heads = heads
    set = SourceTrainingSet(features: Matrix(features), labels: labels, preferred: [3])
    var earlier: [Expert] = []
    for index in 0..<count {
      earlier.append(Expert(backbone, heads: 1, blocks: 2, earlier: earlier, seed: UInt64(index)))
    }
    self.earlier = earlier
  }

  func training(steps: Int, pool: ComputePool) -> SourceTraining {
    let shape = ExpertShape(
      heads: 1, blocks: 2, earlierHeads: earlier.count, feature: .correction, backbone: backbone.description)
    var options = SourceTrainingOptions()
    options.steps = steps
    options.learningRate = 3e-3
    options.warmUp = 3
    options.weightDecay = 0.01
    options.classesPerEpisode = 4
    options.examplesPerEpisode = 60
    var generator = SeededGenerator(seed: 1)
    return SourceTraining(
      .expert(
        backbone, shape: shape,
        inputs: { [heads, earlier] example in
          var slices: [ExpertSlices] = []
          for expert in earlier { slices.append(expert.run(heads[example], earlier: slices).slices) }
          return ExpertSource(heads: heads[example], earlier: slices)
        }),
      start: ExpertStart.parameters(shape, generator: &generator), set: set, options: options, pool: pool)
  }
}

private func finish(_ training: SourceTraining) -> [Double] {
  var losses: [Double] = []
  while !training.isDone {
    if let report = training.step() { losses.append(report.loss) }
  }
  return losses
}

@Suite struct ExpertTrainingTests {
  @Test(arguments: [0, 2])
  func theLossFalls(earlier: Int) throws {
    let pool = ComputePool(workers: 2)
    defer { pool.shutdown() }
    let losses = finish(try Material(earlier: earlier).training(steps: 30, pool: pool))
    #expect(losses.count == 30)
    #expect(losses.suffix(3).reduce(0, +) / 3 < 0.95 * losses[0], "\(losses)")
  }

  @Test func theSameBitsComeOutOnAnyNumberOfThreadsAndAfterAStop() throws {
    let material = try Material(earlier: 1)
    var states: [SourceTraining.State] = []
    for workers in [1, 2] {
      let pool = ComputePool(workers: workers)
      defer { pool.shutdown() }
      let whole = material.training(steps: 6, pool: pool)
      _ = finish(whole)
      states.append(whole.state)
      let first = material.training(steps: 6, pool: pool)
      for _ in 0..<workers { _ = first.step() }
      let second = material.training(steps: 6, pool: pool)
      #expect(second.restore(try SourceTraining.State(first.state.encoded())))
      _ = finish(second)
      states.append(second.state)
    }
    #expect(states.allSatisfy { $0 == states[0] })
  }
}

/// What a version answers with.
@Suite struct ExtendedBackboneTests {
  private func prompts(_ backbone: VisionTransformer, count: Int) -> PromptBank {
    var generator = SeededGenerator(seed: 3)
    func group(_ task: Int) -> PromptBank.Group {
      PromptBank.Group(
        taskID: Int64(task), rows: 1,
        parameters: PromptLayout.start(
          rows: 1, backbone: backbone, isDeep: true, noise: 0.05, generator: &generator), examples: [])
    }
    return PromptBank(isDeep: true, tasks: (0..<count).map(group), global: group(count))
  }

  private func experts(_ backbone: VisionTransformer, count: Int) -> ExpertBank {
    var bank = ExpertBank(blocks: 2)
    var earlier: [Expert] = []
    for task in 0..<count {
      let expert = Expert(backbone, heads: 1 + task % 2, blocks: 2, earlier: earlier, seed: UInt64(task))
      bank = bank.learning(
        .init(
          taskID: Int64(task), heads: expert.shape.heads, feature: expert.shape.feature, parameters: expert.flat,
          examples: []))
      earlier.append(expert)
    }
    return bank
  }

  @Test func everySourceGivesTheFeatureItGivesAlone() throws {
    let test = try ExpertCase()
    let (prompts, experts) = (prompts(test.backbone, count: 2), experts(test.backbone, count: 3))
    let both = ExtendedBackbone(test.backbone, prompts: prompts, experts: experts)
    let promptsAlone = ExtendedBackbone(test.backbone, prompts: prompts, experts: nil)
    let expertsAlone = ExtendedBackbone(test.backbone, prompts: nil, experts: experts)
    for picture in test.pictures {
      let features = both.embed(picture) {}
      #expect(features.count == 1 + 3 + 3)
      #expect(promptsAlone.embed(picture) {} == Array(features.prefix(4)))
      #expect(expertsAlone.embed(picture) {} == [features[0]] + features.suffix(3))
      #expect(features[0] == test.backbone.embed([picture]) {}.storage)
      for feature in features {
        #expect(abs(feature.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
      }
      let cached = ExpertBackbone(test.backbone, bank: experts)
        .features(test.backbone.freezeHeads(picture, blocks: 2) {}.heads) {}
      #expect(cached == Array(features.suffix(3)))
    }
  }

  /// Of three experts: what the first n give is the same whether there are more of them, and what the next one is trained
  /// beside, their slices, is what it reads when it serves.
  @Test func anExpertIsTrainedBesideWhatItReadsWhenItServes() throws {
    let test = try ExpertCase()
    let all = experts(test.backbone, count: 3)
    let shapes = all.shapes(test.backbone.description)
    let serving = ExpertBackbone(test.backbone, bank: all)
    for heads in test.frozen(2) {
      let features = serving.features(heads) {}
      for count in 1...2 {
        let before = ExpertBackbone(
          test.backbone, bank: ExpertBank(blocks: 2, experts: Array(all.experts.prefix(count))))
        #expect(before.features(heads) {} == Array(features.prefix(count)))
        let pass = ExpertPass(test.backbone, shape: shapes[count])
        let parameters = ExpertParameters(shapes[count], all.experts[count].parameters)
        let next = pass.forward(parameters, heads, earlier: before.slices(heads) {}) {}
        let unit = Matrix(rows: 1, columns: next.count, storage: next).rowsOfUnitLength().storage
        #expect(unit == features[count])
      }
    }
  }

  /// Through save, restart and load, and with further tasks: the feature of an expert never changes a bit.
  @Test(
    .enabled(if: RealBackbone.isPresent, "no backbone: run make backbone, or set CLSERVER_BACKBONE"),
    .enabled(if: Photographs.arePresent, "no photographs: install tuxpaint-stamps-default"))
  func oldFeaturesSurviveNewTasksAndARestartBitForBit() throws {
    let backbone = try RealBackbone.load(.int8)
    let images = Photographs.load(3, backbone.preprocessing)
    let all = experts(backbone, count: 3)
    let two = ExpertBank(blocks: 2, experts: Array(all.experts.prefix(2)))
    let before = ExtendedBackbone(backbone, prompts: nil, experts: two)
    let singles = try all.singles.map { try ExpertBank($0.encoded()) }
    let loaded = try #require(ExpertBank(blocks: 2).adding(singles))
    let after = ExtendedBackbone(try RealBackbone.load(.int8), prompts: nil, experts: loaded)
    for image in images {
      #expect(Array(after.embed(image) {}.prefix(3)) == before.embed(image) {})
    }
  }
}
