import CLModels
import Foundation
import Tensor
import Testing

/// Sums in another order differ by some 1e-16, which normalizations of only three numbers enlarge.
private let tolerance = 1e-9

private typealias Rows = ExpansionReference.Rows

/// One of the first slice's parameters, and whether a second slice sees what it changes.
struct OldParameter: Sendable {
  let path: NetworkShape.CrossTaskPath
  let name: String
  let isSeen: Bool

  init(_ path: NetworkShape.CrossTaskPath, _ name: String, isSeen: Bool) {
    self.path = path
    self.name = name
    self.isSeen = isSeen
  }

  /// Before and after what is read: the inputs of the feature mixing and its hidden numbers in the dense form, what is
  /// attended to in the joint one.
  static let all = [
    OldParameter(.dense, "positions", isSeen: true),
    OldParameter(.dense, "block0.attention.key", isSeen: true),
    OldParameter(.dense, "block1.mixing.first.weights", isSeen: true),
    OldParameter(.dense, "class.attention.projection", isSeen: true),
    OldParameter(.dense, "class.mixing.first.biases", isSeen: true),
    OldParameter(.dense, "class.mixing.second.weights", isSeen: false),
    OldParameter(.joint, "block0.attentionNorm.gain", isSeen: true),
    OldParameter(.joint, "block1.mixing.second.weights", isSeen: true),
    OldParameter(.joint, "class.token", isSeen: true),
    OldParameter(.joint, "class.attention.value", isSeen: false),
    OldParameter(.joint, "class.mixing.first.weights", isSeen: false),
    OldParameter(.independent, "patch.weights", isSeen: false),
    OldParameter(.independent, "block0.attention.positions", isSeen: false),
    OldParameter(.independent, "class.mixing.first.weights", isSeen: false),
  ]
}

@Suite struct ExpansionReferenceTests {
  /// Nine patches and two blocks, of which the second reads what older slices made in their second.
  private func shape(_ path: NetworkShape.CrossTaskPath) -> NetworkShape {
    NetworkShape(channels: 1, side: 6, patch: 2, headWidth: 3, spatialBlocks: 2, expansionRatio: 2, path: path)
  }

  @Test(arguments: NetworkShape.CrossTaskPath.allCases, [[2], [2, 1], [2, 2], [1, 2, 1]])
  func tokensAndLogitsAreThoseOfTheEquations(path: NetworkShape.CrossTaskPath, heads: [Int]) {
    let network: ExpandingNetwork<Double> = ExpansionFixtures.network(shape(path), heads: heads, seed: 31)
    let input: Matrix<Double> = ExpansionFixtures.noise(network.shape, images: 2, seed: 32)
    let tokens = ExpansionReference(network: network).tokens(input)
    #expect(relativeError(network.tokens(input), tokens) < tolerance)
    let logits = tokens.map { ExpansionReference.logits(network.heads, $0) }
    #expect(relativeError(network.logits(input), logits) < tolerance)
  }

  private func relativeError(_ values: Matrix<Double>, _ expected: Rows) -> Double {
    let numbers = expected.flatMap { $0 }
    guard values.rows == expected.count, values.storage.count == numbers.count else { return .infinity }
    var (error, size) = (0.0, 0.0)
    for (value, number) in zip(values.storage, numbers) {
      error += (value - number) * (value - number)
      size += number * number
    }
    return (error / size).squareRoot()
  }

  // MARK: What a new slice reads of an old one

  @Test(arguments: NetworkShape.CrossTaskPath.allCases)
  func aNewSliceReadsOldOnesUnlessItIsIndependent(path: NetworkShape.CrossTaskPath) {
    checkSecondSlice(path, isChanged: path != .independent) { parameters, generator in
      parameters.numbers = parameters.numbers.map { $0 + 0.1 * generator.nextGaussian() }
    }
  }

  @Test(arguments: OldParameter.all)
  func anOldParameterIsSeenThroughWhatIsReadAlone(old: OldParameter) {
    checkSecondSlice(old.path, isChanged: old.isSeen) { parameters, generator in
      let moved = parameters.vector(old.name).map { $0 + 0.1 * generator.nextGaussian() }
      parameters.set(old.name, moved)
    }
  }

  /// Two networks of two slices, of which only the first differ: whether what the second gives of the class token
  /// differs too, or is the same bits.
  private func checkSecondSlice(
    _ path: NetworkShape.CrossTaskPath, isChanged: Bool, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout ParameterVector<Double>, inout SeededGenerator) -> Void
  ) {
    let first: ExpandingNetwork<Double> = ExpansionFixtures.network(shape(path), heads: [2], seed: 41)
    var generator = SeededGenerator(seed: 42)
    var parameters = first.newest
    change(&parameters, &generator)
    var changed = first
    changed.newest = parameters
    let (one, other) = (expanded(first), expanded(changed))
    #expect(one.newest == other.newest, sourceLocation: sourceLocation)
    let input: Matrix<Double> = ExpansionFixtures.noise(first.shape, images: 2, seed: 43)
    let (before, after) = (one.tokens(input), other.tokens(input))
    let (old, new) = (0..<6, 6..<9)
    #expect(before.selectingColumns([old]) != after.selectingColumns([old]), sourceLocation: sourceLocation)
    let isSame = before.selectingColumns([new]) == after.selectingColumns([new])
    #expect(isSame == !isChanged, sourceLocation: sourceLocation)
  }

  /// By a slice of one head, of which the parameters depend on nothing in the network.
  private func expanded(_ network: ExpandingNetwork<Double>) -> ExpandingNetwork<Double> {
    var network = network
    var generator = SeededGenerator(seed: 44)
    network.expand(heads: 1, classes: 2, &generator)
    network.newest.numbers = network.newest.numbers.map { $0 + 0.3 * generator.nextGaussian() }
    return network
  }

  // MARK: The loss

  /// (1 - s) BCE + s KL tau^2 / old classes + d BCE of the divergence head, with and without either of the last two.
  @Test(arguments: [1.0, 2], [0.1, 0.5])
  func theLossIsThatOfTheEquations(temperature: Double, divergenceWeight: Double) {
    let shape = ExpansionFixtures.small(.dense)
    let network: ExpandingNetwork<Double> = ExpansionFixtures.network(shape, heads: [2, 1, 1], seed: 51)
    // The same two slices, and other heads.
    let teacher: ExpandingNetwork<Double> = ExpansionFixtures.network(shape, heads: [2, 1], seed: 51)
    #expect(teacher.newest == network.slices[1].parameters)
    var generator = SeededGenerator(seed: 52)
    var divergence = ClassifierHeads<Double>(width: 0).adding(3, width: network.width, &generator)
    divergence.parameters.numbers = divergence.parameters.numbers.map { $0 + 0.3 * generator.nextGaussian() }
    let input: Matrix<Double> = ExpansionFixtures.noise(shape, images: 4, seed: 53)
    // Classes 4 and 5 are the task's: 1 and 2 for the divergence head, and all others 0.
    let labels = [0, 5, 3, 4]
    let logits = ExpansionReference.rows(network.logits(input))
    let entropy = binaryCrossEntropy(logits, labels)
    let kept = distillation(logits, ExpansionReference.rows(teacher.logits(input)), temperature: temperature)
    let scores = ExpansionReference.rows(network.tokens(input)).map { ExpansionReference.logits(divergence, $0) }
    let parted = divergenceWeight * binaryCrossEntropy(scores, [0, 2, 0, 1])
    let loss = ExpansionLoss(temperature: temperature, divergenceWeight: divergenceWeight)
    func stated(_ divergence: ClassifierHeads<Double>?, _ teacher: ExpandingNetwork<Double>?) -> Double {
      loss.evaluate(network, patches: input, labels: labels, divergence: divergence, teacher: teacher).loss
    }
    // Four old classes of six.
    let mixed = entropy / 3 + kept * 2 / 3
    #expect(abs(stated(divergence, teacher) - (mixed + parted)) < 1e-12)
    #expect(abs(stated(nil, teacher) - mixed) < 1e-12)
    #expect(abs(stated(divergence, nil) - (entropy + parted)) < 1e-12)
    #expect(abs(stated(nil, nil) - entropy) < 1e-12)
  }

  /// A network that has not grown is not its teacher's any more: what the teacher says comes from its own features.
  @Test func theLossOfFineTuningIsThatOfTheEquations() {
    let (network, teacher, input) = ExpansionFixtures.fineTuning(seed: 54)
    let labels = [4, 1]
    let logits = ExpansionReference.rows(network.logits(input))
    let kept = distillation(logits, ExpansionReference.rows(teacher.logits(input)), temperature: 2)
    let expected = 0.6 * binaryCrossEntropy(logits, labels) + 0.4 * kept
    let loss = ExpansionLoss(temperature: 2)
    let stated = loss.evaluate(network, patches: input, labels: labels, teacher: teacher).loss
    #expect(abs(stated - expected) < 1e-12)
  }

  /// Every class of every row decided on its own, the mean over all.
  private func binaryCrossEntropy(_ logits: Rows, _ labels: [Int]) -> Double {
    var sum = 0.0
    var count = 0.0
    for (row, label) in zip(logits, labels) {
      for (column, logit) in row.enumerated() {
        let probability = 1 / (1 + exp(-logit))
        sum -= log(column == label ? probability : 1 - probability)
        count += 1
      }
    }
    return sum / count
  }

  /// tau^2 KL(softmax(old / tau) || softmax(new / tau)) over the old classes, the mean over rows and classes.
  private func distillation(_ new: Rows, _ old: Rows, temperature: Double) -> Double {
    var sum = 0.0
    var count = 0.0
    for (newRow, oldRow) in zip(new, old) {
      let wanted = probabilities(oldRow, temperature)
      let given = probabilities(Array(newRow.prefix(oldRow.count)), temperature)
      for (one, other) in zip(wanted, given) {
        sum += one * log(one / other)
        count += 1
      }
    }
    return temperature * temperature * sum / count
  }

  private func probabilities(_ logits: [Double], _ temperature: Double) -> [Double] {
    let exponentials = logits.map { exp($0 / temperature) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  // MARK: The cost of the joint form

  /// Two heads of width two at four tokens, three old heads, two spatial blocks and the class-attention block.
  private func cost(_ path: NetworkShape.CrossTaskPath, oldHeads: Int) -> (parameters: Int, multiplications: Int) {
    let network = NetworkShape(
      channels: 1, side: 4, patch: 2, headWidth: 2, spatialBlocks: 2, expansionRatio: 2, path: path)
    let slice = SliceShape(network: network, oldHeads: oldHeads, heads: 2)
    return (slice.parameterCount, slice.multiplyAccumulates)
  }

  @Test func parametersOfAJointSliceAreThoseOfItsMaps() {
    let embedding = 4 * 4 + 4 + 4 * 4
    let norms = 2 * (4 + 4)
    let attention = 4 * (4 * 4) + 4
    let positions = 2 * 3 + 2
    let mixing = (4 * 8 + 8) + (8 * 4 + 4)
    let independent: Int = embedding + 2 * (norms + attention + positions + mixing) + (4 + norms + attention + mixing)
    #expect(cost(.independent, oldHeads: 3).parameters == independent)
    // In each of three blocks one map for the keys of all old heads, and one for the values of each.
    let further = 3 * (2 * 2 + 3 * (2 * 2))
    #expect(cost(.joint, oldHeads: 3).parameters == independent + further)
    #expect(cost(.joint, oldHeads: 0).parameters == independent)
  }

  @Test func multiplicationsOfAJointSliceAreThoseOfItsProducts() {
    let patches = 4 * (4 * 4)
    let mixing = 4 * 8 + 8 * 4
    // Queries, keys, values and the projection; then scores and the sums of values.
    let spatial: Int = 4 * (4 * (4 * 4)) + 2 * (4 * 4 * 4) + 4 * mixing
    // One query and five tokens.
    let reading: Int = 2 * (4 * 4) + 2 * (5 * (4 * 4)) + 2 * (5 * 4) + mixing
    let independent = patches + 2 * spatial + reading
    #expect(cost(.independent, oldHeads: 3).multiplications == independent)
    // A key and a value of three old heads at every token, and scores and sums with them of two new heads, two wide.
    let furtherSpatial: Int = 2 * (4 * 3 * (2 * 2)) + 2 * (4 * (4 * 3) * 4)
    let furtherReading: Int = 2 * (5 * 3 * (2 * 2)) + 2 * (1 * (5 * 3) * 4)
    #expect(cost(.joint, oldHeads: 3).multiplications == independent + 2 * furtherSpatial + furtherReading)
    #expect(cost(.joint, oldHeads: 0).multiplications == independent)
  }
}
