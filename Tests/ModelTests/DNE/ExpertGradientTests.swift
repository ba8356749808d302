import CLModels
import Tensor
import Testing

/// The way back of a whole expert, against differences of the way there.
@Suite struct ExpertGradientTests {
  /// What differences of float features leave, as a part of the length of a range's gradient; a way back with a term missing
  /// is off by tenths.
  static let furthest = 0.01
  private static let step: Float = 0.02

  /// Along the gradient of every range of parameters by itself, and along random directions in it.
  private func check(
    _ test: ExpertCase, _ expert: Expert, earlier: [Expert] = [], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let shape = expert.shape
    let heads = test.frozen(shape.blocks)[0]
    var slices: [ExpertSlices] = []
    for expert in earlier { slices.append(expert.run(heads, earlier: slices).slices) }
    let weights = normal(1, shape.featureWidth, seed: 3).storage
    let pass = ExpertPass(test.backbone, shape: shape, keepsRecords: true)
    var sums = ExpertParameters(zerosOf: shape)
    _ = pass.forward(ExpertParameters(shape, expert.flat), heads, earlier: slices) {}
    pass.backward(weights, adding: &sums) {}
    let stated = sums.flat

    func loss(_ range: Range<Int>, _ direction: [Double], _ step: Float) -> Double {
      var moved = expert.flat
      for (index, change) in zip(range, direction) { moved[index] += step * Float(change) }
      let feature = pass.forward(ExpertParameters(shape, moved), heads, earlier: slices) {}
      return zip(feature, weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    func slope(_ range: Range<Int>, _ direction: [Double]) -> Double {
      let near = loss(range, direction, Self.step) - loss(range, direction, -Self.step)
      let far = loss(range, direction, 2 * Self.step) - loss(range, direction, -2 * Self.step)
      return (8 * near - far) / (12 * Double(Self.step))
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
        let error = abs(slope(range, direction) - along) / length
        #expect(error < Self.furthest, "\(name): off by \(error) of \(length)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: [(1, 1), (1, 2), (2, 2), (3, 1)])
  func areTheDifferencesInEveryShape(heads: Int, blocks: Int) throws {
    let test = try ExpertCase()
    check(test, test.expert(heads: heads, blocks: blocks, seed: 1))
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
    let pass = ExpertPass(test.backbone, shape: expert.shape, keepsRecords: true)
    let gradient = normal(1, expert.shape.featureWidth, seed: 3).storage
    func sum(_ images: [FrozenHeads]) -> [Float] {
      var sums = ExpertParameters(zerosOf: expert.shape)
      for heads in images {
        _ = pass.forward(parameters, heads) {}
        pass.backward(gradient, adding: &sums) {}
      }
      return sums.flat
    }
    let frozen = test.frozen(2)
    let together = sum([frozen[0], frozen[1]])
    #expect(together == sum([frozen[0], frozen[1]]))
    let (one, other) = (sum([frozen[0]]), sum([frozen[1]]))
    #expect(relativeDistance(together, zip(one, other).map { $0 + $1 }) < 1e-6)
  }
}
