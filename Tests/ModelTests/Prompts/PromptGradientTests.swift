import CLModels
import Tensor
import Testing

/// The way back of a whole pass, against differences of the way there. In float: int8's steps have no slope.
@Suite struct PromptGradientTests {
  static let layouts: [[(rows: Int, readsTasks: Bool)]] = [
    [(1, false)], [(2, false)], [(2, true)], [(1, false), (1, true)], [(2, false), (1, false), (2, true)],
  ]

  /// What differences of float features leave of a part of the gradient; a way back with a term missing is off by tenths.
  static let closest = 0.9999
  static let furthest = 0.01

  private func check(
    _ backbone: VisionTransformer, _ layout: PromptLayout, frozen: [FrozenTokens], earlier: [FrozenTokens] = [],
    seed: UInt64, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let parameters = promptParameters(layout, backbone, seed: seed)
    let weights = normal(
      frozen.count * layout.groups.count, backbone.description.featureWidth, seed: seed &+ 1)
    let stated = try promptGradient(
      backbone, layout, parameters, frozen: frozen, earlier: earlier, weights: weights)
    let differences = promptDifferences(
      backbone, layout, parameters, frozen: frozen, earlier: earlier, weights: weights
    ).map { Float($0) }
    #expect(stated.count == layout.parameterCount(backbone.description))
    for slice in promptSlices(layout, backbone) {
      let angle = cosine(stated[slice], differences[slice])
      let distance = relativeDistance(stated[slice], differences[slice])
      #expect(
        angle > Self.closest && distance < Self.furthest, "numbers \(slice): cosine \(angle), off by \(distance)",
        sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: Self.layouts.indices, [true, false])
  func areTheDifferencesInEveryLayout(layout: Int, isDeep: Bool) throws {
    let golden = try GoldenBackbone("clip")
    let backbone = try golden.load(.float)
    let frozen = golden.cases[0].pictures.map { backbone.freeze($0) {}.tokens }
    try check(backbone, promptLayout(Self.layouts[layout], isDeep: isDeep), frozen: frozen, seed: UInt64(layout))
  }

  @Test(arguments: GoldenBackbone.names)
  func areTheDifferencesOnEveryBackbone(name: String) throws {
    let golden = try GoldenBackbone(name)
    for one in golden.cases {
      let backbone = try golden.load(.float, resolution: one.resolution)
      let frozen = one.pictures.prefix(1).map { backbone.freeze($0) {}.tokens }
      try check(backbone, promptLayout([taskRow, globalRow], isDeep: true), frozen: frozen, seed: 7)
    }
  }

  @Test(arguments: InstructionSet.allCases.filter(\.isSupported))
  func areTheDifferencesWithEveryInstructionSet(instructionSet: InstructionSet) throws {
    let golden = try GoldenBackbone("timm")
    let backbone = try golden.load(.float, instructionSet: instructionSet)
    let frozen = golden.cases[0].pictures.map { backbone.freeze($0) {}.tokens }
    try check(backbone, promptLayout([(2, false), (1, true)], isDeep: true), frozen: frozen, seed: 9)
  }

  @Test(arguments: [true, false])
  func areTheDifferencesBesideEarlierTasks(isDeep: Bool) throws {
    let golden = try GoldenBackbone("clip")
    let backbone = try golden.load(.float)
    let frozen = golden.cases[0].pictures.map { backbone.freeze($0) {}.tokens }
    let tasks = promptLayout([taskRow, (2, false)], isDeep: isDeep)
    let earlier = PromptedBackbone(
      backbone, layout: tasks, parameters: promptParameters(tasks, backbone, seed: 3)
    ).frozenRows(frozen) {}
    for groups in [[globalRow], [taskRow, globalRow], [(2, false), (2, true)]] {
      try check(backbone, promptLayout(groups, isDeep: isDeep), frozen: frozen, earlier: earlier, seed: 4)
    }
  }

  /// A projection wider than anything inside the blocks needs the most room on the way back.
  @Test(arguments: BackbonePrecision.allCases)
  func aWideProjectionHasRoom(precision: BackbonePrecision) throws {
    let golden = try GoldenBackbone("clip")
    var generator = SeededGenerator(seed: 8)
    let (outputs, width) = (16_000, 48)
    let projection = (0..<outputs * width).map { _ in 0.2 * Float(generator.nextGaussian()) }
    let weights = try golden.weights(exchanging: ["visual_projection.weight": ([outputs, width], projection)])
    func load(_ precision: BackbonePrecision) throws -> VisionTransformer {
      try VisionTransformer(
        weights: weights, configuration: golden.configuration, options: .init(precision: precision))
    }
    let exact = try load(.float)
    let frozen = golden.cases[0].pictures.map { exact.freeze($0) {}.tokens }
    let layout = promptLayout([taskRow], isDeep: true)
    let parameters = promptParameters(layout, exact, seed: 2)
    let direction = normal(frozen.count, outputs, seed: 5)
    let differences = promptDifferences(exact, layout, parameters, frozen: frozen, weights: direction)
    let stated = try promptGradient(try load(precision), layout, parameters, frozen: frozen, weights: direction)
    // Tiny random models have no redundancy for int8's rounding to vanish in.
    #expect(cosine(stated, differences.map { Float($0) }) > (precision == .float ? Self.closest : 0.98))
  }
}

/// The promise: training on int8 goes where training on float would, with a row a group and offsets. Two rows that
/// start alike make gradients that a shake of the parameters by .01 turns further than int8 does.
@Suite(.enabled(if: RealBackbone.isPresent, "no backbone: run make backbone, or set CLSERVER_BACKBONE"))
struct RealPromptGradientTests {
  static let promised = 0.99

  @Test func int8GradientsPointWhereFloatOnesDo() throws {
    let quantized = try RealBackbone.load(.int8)
    let exact = try RealBackbone.load(.float)
    let images =
      Photographs.arePresent
      ? Photographs.load(8, quantized.preprocessing) : (0..<8).map { RealBackboneTests.picture($0, size: 160) }
    #expect(images.count == 8)
    let frozen = images.map { quantized.freeze($0) {}.tokens }
    for groups in [[taskRow], [taskRow, globalRow]] {
      let layout = promptLayout(groups, isDeep: true)
      var generator = SeededGenerator(seed: 1)
      let parameters = layout.groups.flatMap { group in
        PromptLayout.start(
          rows: group.rows, backbone: quantized, isDeep: true, noise: 0.02, generator: &generator)
      }
      let weights = normal(
        frozen.count * layout.groups.count, quantized.description.featureWidth, seed: 11)
      let one = try promptGradient(quantized, layout, parameters, frozen: frozen, weights: weights)
      let other = try promptGradient(exact, layout, parameters, frozen: frozen, weights: weights)
      let closeness = cosine(one, other)
      #expect(closeness >= Self.promised, "\(groups.count) groups")
    }
  }
}
