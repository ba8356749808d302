import CLModels
import Tensor
import Testing

private let paths = NetworkShape.CrossTaskPath.allCases

@Suite struct ExpandingNetworkTests {
  @Test(arguments: paths)
  func oldFeaturesAreTheSameBitsAfterExpansion(path: NetworkShape.CrossTaskPath) {
    let shape = ExpansionFixtures.usual(path)
    checkOldFeatures(shape, ExpansionFixtures.noise(shape, images: 3, seed: 3))
  }

  @Test(.enabled(if: Photographs.arePresent, "no photographs: install tuxpaint-stamps-default"), arguments: paths)
  func oldFeaturesOfPhotographsAreTheSameBitsAfterExpansion(path: NetworkShape.CrossTaskPath) {
    let shape = ExpansionFixtures.usual(path)
    let images = Photographs.load(4, ImagePreprocessing(size: shape.side))
    #expect(images.count == 4)
    checkOldFeatures(shape, ExpansionFixtures.patches(shape, of: images))
  }

  private func checkOldFeatures(_ shape: NetworkShape, _ input: Matrix<Float>) {
    let before: ExpandingNetwork<Float> = ExpansionFixtures.network(shape, heads: [2, 1], seed: 1)
    var after = before
    var generator = SeededGenerator(seed: 2)
    after.expand(heads: 3, classes: 2, &generator)
    let (old, new) = (before.tokens(input), after.tokens(input))
    #expect(old.columns == 96 && new.columns == 192)
    #expect(new.selectingColumns([0..<96]) == old)
  }

  @Test func oldLogitsChangeAtExpansionByTheNormalizationAlone() {
    let shape = ExpansionFixtures.usual(.dense)
    let before: ExpandingNetwork<Float> = ExpansionFixtures.network(shape, heads: [2], seed: 1)
    var after = before
    var generator = SeededGenerator(seed: 2)
    after.expand(heads: 1, classes: 2, &generator)
    let input: Matrix<Float> = ExpansionFixtures.noise(shape, images: 2, seed: 3)
    let tokens = after.tokens(input)
    // The head's LayerNorm runs over old and new features: its mean and deviation are others.
    #expect(after.logits(input).selectingColumns([0..<2]) != before.logits(input))
    // New weights are 0 and the biases as they were: what old features say through the new moments is the logit.
    let gain = before.heads.parameters.vector("head0.gain")
    let shift = before.heads.parameters.vector("head0.shift")
    let weights = before.heads.parameters.matrix("head0.weights")
    let biases = before.heads.parameters.vector("head0.biases")
    for row in 0..<2 {
      let token = tokens.row(row).map(Double.init)
      let mean = token.reduce(0, +) / 96
      let deviation = (token.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 96 + 1e-6).squareRoot()
      for label in 0..<2 {
        let expected = (0..<64).reduce(Double(biases[label])) { sum, column in
          let normalized = (token[column] - mean) / deviation * Double(gain[column]) + Double(shift[column])
          return sum + normalized * Double(weights[label, column])
        }
        #expect(abs(Double(after.logits(input)[row, label]) - expected) < 1e-4)
      }
    }
  }

  /// With W_q = 0 all heads weigh lambda / heads. Where old heads have no value, what is left of task
  /// attention is a linear map, lambda / heads sum_j (V_j x_j + b_j) over the new heads, the same for each of them: so the
  /// slice computes what a slice that reads no other one does.
  @Test func withoutQueriesFeaturesAreMixedUniformly() {
    var dense: ExpandingNetwork<Double> = ExpansionFixtures.network(
      ExpansionFixtures.small(.dense), heads: [4], seed: 5)
    var plain: ExpandingNetwork<Double> = ExpansionFixtures.network(
      ExpansionFixtures.small(.independent), heads: [4], seed: 5)
    var generator = SeededGenerator(seed: 1)
    dense.expand(heads: 2, classes: 2, &generator)
    plain.expand(heads: 2, classes: 2, &generator)
    dense.newest.numbers = dense.newest.numbers.map { $0 + 0.3 * generator.nextGaussian() }
    for name in plain.newest.layout.entries.map(\.name) where !name.contains(".mixing.") {
      plain.newest.set(name, dense.newest.vector(name))
    }
    for layer in ["block0.mixing.first", "block0.mixing.second", "class.mixing.first", "class.mixing.second"] {
      var (values, biases) = (dense.newest.matrix(layer + ".values"), dense.newest.matrix(layer + ".biases"))
      let (outputs, inputs) = (values.rows, values.columns / 6)
      for output in 0..<outputs {
        for column in 0..<4 * inputs { values[output, column] = 0 }
        for head in 0..<4 { biases[head, output] = 0 }
      }
      dense.newest.set(layer + ".query", [Double](repeating: 0, count: inputs * inputs))
      dense.newest.set(layer + ".scale", [4])
      dense.newest.set(layer + ".values", values.storage)
      dense.newest.set(layer + ".biases", biases.storage)
      var weights = Matrix<Double>(rows: 2 * outputs, columns: 2 * inputs)
      for row in 0..<2 * outputs {
        for column in 0..<2 * inputs {
          weights[row, column] = 4.0 / 6 * values[row % outputs, 4 * inputs + column]
        }
      }
      plain.newest.set(layer + ".weights", weights.storage)
      plain.newest.set(
        layer + ".biases", (0..<2 * outputs).map { 4.0 / 6 * (biases[4, $0 % outputs] + biases[5, $0 % outputs]) })
    }
    let input: Matrix<Double> = ExpansionFixtures.noise(dense.shape, images: 2, seed: 6)
    for (one, other) in zip(dense.tokens(input).storage, plain.tokens(input).storage) {
      #expect(abs(one - other) < 1e-12)
    }
  }

  @Test(arguments: [1, 4, 7])
  func parametersOfAMixingLayerAreCountedAsInThePaper(k: Int) {
    // CIFAR's: 12 heads of 32 at first, a ratio of 4.
    let shape = NetworkShape(channels: 3, side: 32, patch: 4, spatialBlocks: 5)
    let layout = SliceShape(network: shape, oldHeads: 12, heads: k).layout
    func count(_ prefix: String) -> Int {
      layout.entries.filter { $0.name.hasPrefix(prefix) }.reduce(0) { $0 + $1.range.count }
    }
    for block in ["block0", "block4", "class"] {
      #expect(count(block + ".mixing.first") == (12 + k) * (32 * 128 + 128) + 2 * 32 * 32 + 1)
      #expect(count(block + ".mixing.second") == (12 + k) * (128 * 32 + 32) + 2 * 128 * 128 + 1)
    }
    // 56,961 and 86,433 for one head.
    if k == 1 { #expect(count("block0.mixing.first") == 56_961 && count("block0.mixing.second") == 86_433) }
  }

  /// In millions, of the first expansion, as the authors' network has them.
  @Test(arguments: [(1, 0.89), (4, 1.42), (7, 2.40)])
  func growthIsLinearInTheHeadsThatAreRead(k: Int, first: Double) {
    let shape = NetworkShape(channels: 3, side: 32, patch: 4, spatialBlocks: 5)
    let counts = (0..<4).map { SliceShape(network: shape, oldHeads: 12 + k * $0, heads: k).parameterCount }
    #expect(abs(Double(counts[0]) / 1e6 - first) < 0.01)
    // Another V_j with its bias for every head in both layers of six blocks.
    #expect(zip(counts, counts.dropFirst()).allSatisfy { $1 - $0 == 50_112 * k })
    // Of seven heads the maps that task attention shares are fewer than those of an MLP of their own.
    let independent = SliceShape(
      network: NetworkShape(channels: 3, side: 32, patch: 4, spatialBlocks: 5, path: .independent), oldHeads: 12,
      heads: k)
    #expect((independent.parameterCount < counts[0]) == (k < 7))
  }

  @Test func multiplicationsAreThoseOfTheProducts() {
    let shape = NetworkShape(channels: 1, side: 4, patch: 2, headWidth: 2, spatialBlocks: 1, expansionRatio: 2)
    // Width 2, 4 tokens, one head; reading one old head.
    let slice = SliceShape(network: shape, oldHeads: 1, heads: 1)
    let first = 2 * 2 * 4 + 2 * 2 + 2 * 2 + 2 * 2 * 4
    let second = 2 * 4 * 2 + 4 * 4 + 2 * 4 + 2 * 2 * 2
    let spatial = 4 * 4 * 4 + 2 * 4 * 4 * 2 + 4 * (first + second)
    let reading = 2 * (1 + 5) * 4 + 2 * 5 * 2 + first + second
    #expect(slice.multiplyAccumulates == 4 * 4 * 2 + spatial + reading)
  }

  @Test func patchesAreRowsOfTheImage() {
    let shape = ExpansionFixtures.small(.dense)
    let image = (0..<16).map(Float.init)
    let patches = shape.patches(of: [image])
    #expect(patches == Matrix([[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]))
    let mirrored = shape.patches(of: [image], shifts: [ImageShift(right: 0, down: 0, isFlipped: true)])
    #expect(Array(mirrored.row(0)) == [3, 2, 7, 6])
    let moved = shape.patches(of: [image], shifts: [ImageShift(right: 1, down: -1, isFlipped: false)])
    #expect(Array(moved.row(0)) == [4, 4, 8, 8])
  }
}
