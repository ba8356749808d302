import CLModels
import Tensor
import Testing

/// Central differences of 1e-5 in double precision leave about 1e-10; the whole network's curvature adds to it.
private let tolerance = 1e-6

@Suite struct ExpansionGradientTests {
  /// Every parameter of the newest slice, the heads and the divergence head, through distillation and both losses.
  @Test(arguments: NetworkShape.CrossTaskPath.allCases, [[2], [2, 1], [2, 2], [1, 2, 1]])
  func gradientsOfTheWholeNetworkAreTheDifferences(path: NetworkShape.CrossTaskPath, heads: [Int]) {
    let shape = ExpansionFixtures.small(path)
    let network: ExpandingNetwork<Double> = ExpansionFixtures.network(shape, heads: heads, seed: 11)
    let teacher: ExpandingNetwork<Double>? =
      heads.count == 1 ? nil : ExpansionFixtures.network(shape, heads: Array(heads.dropLast()), seed: 11)
    var generator = SeededGenerator(seed: 12)
    let divergence = ClassifierHeads<Double>(width: 0).adding(3, width: network.width, &generator)
    let input: Matrix<Double> = ExpansionFixtures.noise(shape, images: 3, seed: 13)
    let labels = [network.heads.classCount - 1, 0, network.heads.classCount - 2]
    func evaluate(
      _ network: ExpandingNetwork<Double>, _ divergence: ClassifierHeads<Double>
    ) -> ExpansionLoss.Value<Double> {
      ExpansionLoss().evaluate(network, patches: input, labels: labels, divergence: divergence, teacher: teacher)
    }
    let stated = evaluate(network, divergence)
    check(stated.slice.numbers) { index, change in
      var moved = network
      moved.newest.numbers[index] += change
      return evaluate(moved, divergence).loss
    }
    check(stated.heads.numbers) { index, change in
      var moved = network
      moved.heads.parameters.numbers[index] += change
      return evaluate(moved, divergence).loss
    }
    check(stated.divergence?.numbers ?? []) { index, change in
      var moved = divergence
      moved.parameters.numbers[index] += change
      return evaluate(network, moved).loss
    }
  }

  /// Without growth the teacher is another network.
  @Test func gradientsOfFineTuningAreTheDifferences() {
    let (network, teacher, input) = ExpansionFixtures.fineTuning(seed: 21)
    func evaluate(_ network: ExpandingNetwork<Double>) -> ExpansionLoss.Value<Double> {
      ExpansionLoss().evaluate(network, patches: input, labels: [4, 1], teacher: teacher)
    }
    check(evaluate(network).slice.numbers) { index, change in
      var moved = network
      moved.newest.numbers[index] += change
      return evaluate(moved).loss
    }
  }

  @Test func singlePrecisionAgrees() {
    let shape = ExpansionFixtures.small(.dense)
    let exact: ExpandingNetwork<Double> = ExpansionFixtures.network(shape, heads: [2, 1], seed: 11)
    let single: ExpandingNetwork<Float> = ExpansionFixtures.network(shape, heads: [2, 1], seed: 11)
    let one = ExpansionLoss().evaluate(
      exact, patches: ExpansionFixtures.noise(shape, images: 3, seed: 13), labels: [0, 3, 2])
    let other = ExpansionLoss().evaluate(
      single, patches: ExpansionFixtures.noise(shape, images: 3, seed: 13), labels: [0, 3, 2])
    #expect(abs(Double(other.loss) - one.loss) < 1e-5)
    for (a, b) in zip(one.slice.numbers, other.slice.numbers) { #expect(abs(a - Double(b)) < 1e-4) }
  }

  private func check(
    _ stated: [Double], sourceLocation: SourceLocation = #_sourceLocation, _ loss: (Int, Double) -> Double
  ) {
    let width = 1e-5
    let scale = stated.reduce(1e-2) { max($0, abs($1)) }
    var worst = 0.0
    for index in stated.indices {
      let difference = (loss(index, width) - loss(index, -width)) / (2 * width)
      let error = abs(difference - stated[index]) / scale
      // What is no number counts as wrong.
      worst = error.isFinite ? max(worst, error) : .infinity
    }
    #expect(worst < tolerance, sourceLocation: sourceLocation)
    #expect(stated.contains { $0 != 0 }, sourceLocation: sourceLocation)
  }
}
