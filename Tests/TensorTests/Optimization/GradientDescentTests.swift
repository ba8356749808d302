import Tensor
import Testing

@Suite struct GradientDescentTests {
  /// Halves and quarters: every step is exact in binary.
  @Test func momentumAndDecayFollowPyTorchsFormulas() {
    let optimizer = StochasticGradientDescent(momentum: 0.5, weightDecay: 0.25)
    var parameters: [Float] = [2]
    var state = StochasticGradientDescent.State<Float>(count: 1)
    // velocity = 1 + 0.25 * 2 = 1.5; p = 2 - 0.5 * 1.5.
    optimizer.update(&parameters, gradient: [1], state: &state, learningRate: 0.5)
    #expect(parameters == [1.25] && state.velocity == [1.5])
    // velocity = 0.5 * 1.5 - 1 + 0.25 * 1.25 = 0.0625; p = 1.25 - 0.5 * 0.0625.
    optimizer.update(&parameters, gradient: [-1], state: &state, learningRate: 0.5)
    #expect(parameters == [1.21875] && state.velocity == [0.0625])
  }

  @Test func withoutMomentumAStepIsTheGradient() {
    var parameters = [1.0, 2.0]
    var state = StochasticGradientDescent.State<Double>(count: 2)
    for _ in 0..<2 {
      StochasticGradientDescent(momentum: 0).update(
        &parameters, gradient: [4, -8], state: &state, learningRate: 0.125)
    }
    #expect(parameters == [0, 4])
  }

  @Test func aRestoredVelocityContinuesToTheSameBits() {
    let optimizer = StochasticGradientDescent(weightDecay: 0.01)
    let gradients = (0..<10).map { step in upstream(5, seed: UInt64(step)).map(Float.init) }
    var (whole, parts) = ([Float](repeating: 1, count: 5), [Float](repeating: 1, count: 5))
    var state = StochasticGradientDescent.State<Float>(count: 5)
    for gradient in gradients { optimizer.update(&whole, gradient: gradient, state: &state, learningRate: 0.1) }
    var before = StochasticGradientDescent.State<Float>(count: 5)
    for gradient in gradients[..<4] { optimizer.update(&parts, gradient: gradient, state: &before, learningRate: 0.1) }
    let bits = before.velocity.map(\.bitPattern)
    var after = StochasticGradientDescent.State(velocity: bits.map(Float.init(bitPattern:)))
    for gradient in gradients[4...] { optimizer.update(&parts, gradient: gradient, state: &after, learningRate: 0.1) }
    #expect(parts == whole && after == state)
  }

  @Test func longGradientsAreScaledTogetherToTheMaximum() {
    var gradients: [[Double]] = [[3, 0], [], [4]]
    #expect(GradientClipping.clip(&gradients, maximumNorm: 2.5) == 5)
    #expect(gradients == [[1.5, 0], [], [2]])
  }

  @Test(arguments: [[[0.0]], [[3, 4]], [[.nan, 1]], [[.infinity]]])
  func shortAndUnusableGradientsAreLeft(gradients: [[Double]]) {
    var clipped = gradients
    let norm = GradientClipping.clip(&clipped, maximumNorm: 5)
    #expect(clipped.map { $0.map(\.bitPattern) } == gradients.map { $0.map(\.bitPattern) })
    #expect(norm.isFinite == gradients[0].allSatisfy(\.isFinite))
  }
}
