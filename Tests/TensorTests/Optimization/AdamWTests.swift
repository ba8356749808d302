import Tensor
import Testing

@Suite struct AdamWTests {
  @Test func theFirstStepMovesByTheLearningRateAgainstTheSign() {
    // m' = g and v' = g^2, so that the step is rate g / (|g| + epsilon).
    var parameters = [1.0, -2.0, 0.5]
    var state = AdamW.State<Double>(count: 3)
    AdamW(epsilon: 0, weightDecay: 0).update(&parameters, gradient: [3, -0.001, 40], state: &state, learningRate: 0.1)
    #expect(relativeError(parameters, [0.9, -1.9, 0.4]) < 1e-12)
    #expect(state.step == 1)
  }

  @Test func weightDecayShrinksAParameterWithoutAGradient() {
    var parameters: [Float] = [2]
    var state = AdamW.State<Float>(count: 1)
    AdamW(weightDecay: 0.5).update(&parameters, gradient: [0], state: &state, learningRate: 0.25)
    #expect(parameters == [1.75])
  }

  /// torch.optim.AdamW's documented algorithm, term by term, three steps of one parameter.
  @Test func stepsFollowPyTorchsFormulas() {
    let (rate, b1, b2, epsilon, decay) = (0.01, 0.9, 0.99, 1e-6, 0.1)
    let gradients = [0.5, -1.5, 0.25]
    var parameters = [0.7]
    var state = AdamW.State<Double>(count: 1)
    let optimizer = AdamW(firstDecay: b1, secondDecay: b2, epsilon: epsilon, weightDecay: decay)
    for gradient in gradients {
      optimizer.update(&parameters, gradient: [gradient], state: &state, learningRate: rate)
    }
    var p = 0.7
    let m1 = 0.1 * 0.5
    let v1 = 0.01 * 0.25
    p -= rate * decay * p
    p -= rate * (m1 / 0.1) / ((v1 / 0.01).squareRoot() + epsilon)
    let m2 = 0.9 * m1 + 0.1 * -1.5
    let v2 = 0.99 * v1 + 0.01 * 2.25
    p -= rate * decay * p
    p -= rate * (m2 / 0.19) / ((v2 / 0.0199).squareRoot() + epsilon)
    let m3 = 0.9 * m2 + 0.1 * 0.25
    let v3 = 0.99 * v2 + 0.01 * 0.0625
    p -= rate * decay * p
    p -= rate * (m3 / 0.271) / ((v3 / 0.029701).squareRoot() + epsilon)
    #expect(relativeError(parameters, [p]) < 1e-13)
    #expect(relativeError(state.firstMoments + state.secondMoments, [m3, v3]) < 1e-13)
  }

  @Test func aRestoredStateContinuesToTheSameBits() {
    let optimizer = AdamW()
    var generator = SeededGenerator(seed: 4)
    let gradients = (0..<20).map { _ in (0..<7).map { _ in Float(generator.nextGaussian()) } }
    var whole = [Float](repeating: 1, count: 7)
    var wholeState = AdamW.State<Float>(count: 7)
    for gradient in gradients { optimizer.update(&whole, gradient: gradient, state: &wholeState, learningRate: 0.01) }

    var parts = [Float](repeating: 1, count: 7)
    var before = AdamW.State<Float>(count: 7)
    for gradient in gradients[..<9] { optimizer.update(&parts, gradient: gradient, state: &before, learningRate: 0.01) }
    let saved = (before.step, before.firstMoments.map(\.bitPattern), before.secondMoments.map(\.bitPattern))
    var after = AdamW.State(
      step: saved.0, firstMoments: saved.1.map(Float.init(bitPattern:)),
      secondMoments: saved.2.map(Float.init(bitPattern:)))
    for gradient in gradients[9...] { optimizer.update(&parts, gradient: gradient, state: &after, learningRate: 0.01) }
    #expect(parts == whole && after == wholeState)
  }
}
