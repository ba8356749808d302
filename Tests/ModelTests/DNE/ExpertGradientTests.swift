import CLModels
import Tensor
import Testing

/// The way back of a whole expert, against differences of the way there.
@Suite struct ExpertGradientTests {
  /// What differences of float features leave, as a part of the length of a range's gradient; a way back with a term
  /// missing is off by tenths.
  static let furthest = 0.01
  /// Where a gradient bends, a long step is off; where it is small, rounding is seen after a short one. A wrong way
  /// back is off after both.
  private static let steps: [Float] = [0.02, 0.005]

  /// Along the gradient of every range of parameters by itself, and along random directions in it.
  private func check(
    _ test: ExpertCase, _ expert: Expert, earlier: [Expert] = [], images: Int = 1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let shape = expert.shape
    let sources = test.frozen(shape.blocks).prefix(images).map { heads in
      var slices: [ExpertSlices] = []
      for expert in earlier { slices.append(expert.run(heads, earlier: slices).slices) }
      return ExpertSource(heads: heads, earlier: slices)
    }
    let weights = normal(sources.count, shape.featureWidth, seed: 3)
    let pass = ExpertPass(test.backbone, shape: shape)
    let parameters = ExpertParameters(shape, expert.flat)
    var sums = ExpertGradient(shape)
    _ = pass.forward(parameters, sources, keepsRecord: true) {}
    pass.backward(weights, adding: &sums) {}
    let stated = sums.flat(for: parameters)

    func loss(_ range: Range<Int>, _ direction: [Double], _ step: Float) -> Double {
      var moved = expert.flat
      for (index, change) in zip(range, direction) { moved[index] += step * Float(change) }
      let features = pass.forward(ExpertParameters(shape, moved), sources) {}
      return zip(features.storage, weights.storage).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    func slope(_ range: Range<Int>, _ direction: [Double], step: Float) -> Double {
      let near = loss(range, direction, step) - loss(range, direction, -step)
      let far = loss(range, direction, 2 * step) - loss(range, direction, -2 * step)
      return (8 * near - far) / (12 * Double(step))
    }
    func unit(_ x: [Double]) -> [Double] {
      let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return x.map { $0 / max(length, 1e-30) }
    }
    var generator = SeededGenerator(seed: 9)
    for (name, range) in shape.namedRanges {
      let gradient = stated[range].map(Double.init)
      let length = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(length > 0, "\(name)", sourceLocation: sourceLocation)
      let random = range.map { _ in generator.nextGaussian() }
      for direction in [unit(gradient), unit(random)] {
        let along = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
        let errors = Self.steps.map { abs(slope(range, direction, step: $0) - along) / length }
        let error = errors.min() ?? .infinity
        #expect(error < Self.furthest, "\(name): off by \(error) of \(length)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: [(1, 1), (1, 2), (2, 2), (3, 1)])
  func areTheDifferencesInEveryShape(heads: Int, blocks: Int) throws {
    let test = try ExpertCase()
    check(test, test.expert(heads: heads, blocks: blocks, seed: 1))
    check(test, test.expert(heads: heads, blocks: blocks, seed: 1), images: 2)
  }

  @Test(arguments: GoldenBackbone.names, BackbonePrecision.allCases)
  func areTheDifferencesOnEveryBackbone(name: String, precision: BackbonePrecision) throws {
    let test = try ExpertCase(name, precision)
    check(test, test.expert(heads: 1, blocks: 2, seed: 2))
  }

  @Test func areTheDifferencesBesideEarlierExperts() throws {
    let test = try ExpertCase()
    let first = test.expert(heads: 1, blocks: 2, seed: 3)
    let second = test.expert(heads: 2, blocks: 2, earlier: [first], seed: 4)
    check(test, test.expert(heads: 2, blocks: 2, earlier: [first, second], seed: 5), earlier: [first, second])
  }

  @Test func gradientsOfImagesAddUp() throws {
    let test = try ExpertCase()
    let expert = test.expert(heads: 2, blocks: 2, seed: 6)
    let parameters = ExpertParameters(expert.shape, expert.flat)
    let pass = ExpertPass(test.backbone, shape: expert.shape)
    let frozen = test.frozen(2).map { ExpertSource(heads: $0) }
    let gradient = normal(2, expert.shape.featureWidth, seed: 3)
    func sum(_ passes: [[Int]]) -> [Float] {
      var sums = ExpertGradient(expert.shape)
      for images in passes {
        _ = pass.forward(parameters, images.map { frozen[$0] }, keepsRecord: true) {}
        pass.backward(gradient.selectingRows(images), adding: &sums) {}
      }
      return sums.flat(for: parameters)
    }
    let apart = sum([[0], [1]])
    #expect(apart == sum([[0], [1]]))
    #expect(relativeDistance(sum([[0, 1]]), apart) < 1e-5)
    #expect(relativeDistance(apart, zip(sum([[0]]), sum([[1]])).map { $0 + $1 }) < 1e-5)
  }
}
