import Tensor
import Testing

private struct LinearMapProgram: DifferentiableProgram {
  let rows: Int
  let inputs: Int
  let outputs: Int
  var inputSizes: [Int] { [rows * inputs, outputs * inputs, outputs] }

  func run<Scalar: KernelScalar>(_ values: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let x = Matrix(rows: rows, columns: inputs, storage: values[0])
    let weights = Matrix(rows: outputs, columns: inputs, storage: values[1])
    return (
      LinearMap.forward(x, weights: weights, bias: values[2]).storage,
      {
        let gradient = Matrix(rows: rows, columns: outputs, storage: $0)
        let (dx, dW, db) = LinearMap.backward(gradient, input: x, weights: weights)
        return [dx.storage, dW.storage, db]
      }
    )
  }
}

private struct LayerNormalizationProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns, columns, columns] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let x = Matrix(rows: rows, columns: columns, storage: inputs[0])
    let (y, saved) = LayerNormalization.forward(x, gain: inputs[1], bias: inputs[2], epsilon: Scalar(1e-2))
    return (
      y.storage,
      {
        let gradient = Matrix(rows: rows, columns: columns, storage: $0)
        let (dx, dGain, dBias) = LayerNormalization.backward(gradient, saved: saved, gain: inputs[1])
        return [dx.storage, dGain, dBias]
      }
    )
  }
}

private enum Elementwise: String, CaseIterable { case gelu, quickGELU, relu, softmax, logSoftmax }

private struct ElementwiseProgram: DifferentiableProgram {
  let operation: Elementwise
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let x = Matrix(rows: rows, columns: columns, storage: inputs[0])
    func gradient(_ numbers: [Scalar]) -> Matrix<Scalar> { Matrix(rows: rows, columns: columns, storage: numbers) }
    switch operation {
    case .gelu:
      return (GELU.forward(x).storage, { [GELU.backward(gradient($0), input: x).storage] })
    case .quickGELU:
      return (QuickGELU.forward(x).storage, { [QuickGELU.backward(gradient($0), input: x).storage] })
    case .relu:
      return (ReLU.forward(x).storage, { [ReLU.backward(gradient($0), input: x).storage] })
    case .softmax:
      let p = Softmax.forward(x)
      return (p.storage, { [Softmax.backward(gradient($0), output: p).storage] })
    case .logSoftmax:
      let l = LogSoftmax.forward(x)
      return (l.storage, { [LogSoftmax.backward(gradient($0), output: l).storage] })
    }
  }
}

private struct DistillationLossProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  let temperature: Double
  var inputSizes: [Int] { [rows * columns] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let old = Matrix(rows: rows, columns: columns, storage: upstream(rows * columns, seed: 77).map { Scalar($0) })
    let new = Matrix(rows: rows, columns: columns, storage: inputs[0])
    let (loss, saved) = DistillationLoss.forward(new: new, old: old, temperature: Scalar(temperature))
    return ([loss], { [DistillationLoss.backward($0[0], saved: saved).storage] })
  }
}

private struct CosineHeadProgram: DifferentiableProgram {
  let rows: Int
  let width: Int
  let classes: Int
  var inputSizes: [Int] { [rows * width, classes * width, 1] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let x = Matrix(rows: rows, columns: width, storage: inputs[0])
    let weights = Matrix(rows: classes, columns: width, storage: inputs[1])
    let (logits, saved) = CosineHead.forward(x, weights: weights, scale: inputs[2][0])
    return (
      logits.storage,
      {
        let gradient = Matrix(rows: rows, columns: classes, storage: $0)
        let (dx, dW, dScale) = CosineHead.backward(gradient, saved: saved, scale: inputs[2][0])
        return [dx.storage, dW.storage, [dScale]]
      }
    )
  }
}

@Suite struct NetworkOperationTests {
  @Test(arguments: [(1, 1, 1), (3, 7, 5), (5, 13, 2), (17, 1, 9)])
  func linearMapGradientsAreTheDifferences(rows: Int, inputs: Int, outputs: Int) {
    check(LinearMapProgram(rows: rows, inputs: inputs, outputs: outputs))
  }

  @Test func linearMapMultipliesByWeightRowsAndAddsTheBias() {
    let y = LinearMap.forward(
      Matrix<Float>([[1, 2], [3, 4]]), weights: Matrix([[1, 0], [0, 1], [1, -1]]), bias: [10, 20, 30])
    #expect(y.storage == [11, 22, 29, 13, 24, 29])
  }

  @Test func linearMapOfNoRowsHasNoRowsAndNoGradient() {
    let weights = Matrix<Float>([[1, 2]])
    let none = Matrix<Float>(rows: 0, columns: 2)
    #expect(LinearMap.forward(none, weights: weights, bias: [1]).rows == 0)
    let gradients = LinearMap.backward(Matrix(rows: 0, columns: 1), input: none, weights: weights)
    #expect(gradients.weights.storage == [0, 0] && gradients.bias == [0])
  }

  @Test(arguments: oddShapes)
  func layerNormalizationGradientsAreTheDifferences(rows: Int, columns: Int) {
    // A single column has no gradient; of its two equal terms, ten times their size, fused products leave a rounding.
    check(LayerNormalizationProgram(rows: rows, columns: columns), singleTolerance: 1e-4)
  }

  @Test func normalizedRowsHaveMeanZeroAndVarianceOne() {
    let x = Matrix(rows: 3, columns: 50, storage: upstream(150, seed: 2).map { 100 + 3 * $0 })
    let one = [Double](repeating: 1, count: 50)
    let y = LayerNormalization.forward(x, gain: one, bias: one, epsilon: 0).output
    for row in 0..<3 {
      let mean = y.row(row).reduce(0, +) / 50
      let variance = y.row(row).reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 50
      #expect(relativeError([mean, variance], [1, 1]) < 1e-12)
    }
  }

  @Test(arguments: Elementwise.allCases.map(\.rawValue), oddShapes)
  func elementwiseGradientsAreTheDifferences(operation: String, shape: (Int, Int)) throws {
    let operation = try #require(Elementwise(rawValue: operation))
    check(ElementwiseProgram(operation: operation, rows: shape.0, columns: shape.1))
  }

  @Test func activationsHaveTheirKnownValues() {
    let x = Matrix<Double>([[-2, 0, 1, 40]])
    // x Phi(x) from tables of the normal distribution: Phi(-2) = 0.0227501319..., Phi(1) = 0.8413447460...
    #expect(
      relativeError(GELU.forward(x).storage, [-0.045_500_263_896_358_41, 0, 0.841_344_746_068_542_9, 40]) < 1e-15)
    // -2 sigmoid(-3.404) and sigmoid(1.702).
    let quick = QuickGELU.forward(x).storage
    #expect(relativeError(quick, [-0.064_341_376_855_791_86, 0, 0.845_795_765_932_821_2, 40], floor: 1) < 1e-15)
    #expect(ReLU.forward(x).storage == [0, 0, 1, 40])
  }

  @Test func probabilitiesSumToOneAndIgnoreAShift() {
    let x = Matrix<Double>([[1, 2, 4], [1001, 1002, 1004]])
    let p = Softmax.forward(x)
    #expect(relativeError(Array(p.row(0)), Array(p.row(1))) < 1e-15)
    #expect(abs(p.row(0).reduce(0, +) - 1) < 1e-15)
    // A row around 1000 has logarithms rounded to 1e-13.
    #expect(relativeError(LogSoftmax.forward(x).mapElements { Double.exponential($0) }.storage, p.storage) < 1e-12)
  }

  @Test(arguments: [(1, 1, 2.0), (3, 7, 1), (5, 13, 4)])
  func distillationGradientsAreTheDifferences(rows: Int, columns: Int, temperature: Double) {
    check(DistillationLossProgram(rows: rows, columns: columns, temperature: temperature))
  }

  @Test func distillationIsZeroFromItselfAndADivergenceOtherwise() {
    let old = Matrix<Double>([[0, 0]])
    let same = DistillationLoss.forward(new: old.mapElements { $0 + 5 }, old: old, temperature: 2)
    #expect(abs(same.loss) < 1e-15)
    // KL((1/2, 1/2) || (3/4, 1/4)) = log(2 / sqrt(3)), times tau^2 = 4.
    let logits = Matrix<Double>([[2 * Double.logarithm(3), 0]])
    let loss = DistillationLoss.forward(new: logits, old: old, temperature: 2).loss
    #expect(abs(loss - 4 * Double.logarithm(2 / 3.0.squareRoot())) < 1e-14)
  }

  @Test(arguments: [(1, 1, 1), (3, 7, 2), (5, 13, 4)])
  func cosineHeadGradientsAreTheDifferences(rows: Int, width: Int, classes: Int) {
    check(CosineHeadProgram(rows: rows, width: width, classes: classes))
  }

  @Test func cosineHeadSeesDirectionsOnly() {
    let weights = Matrix<Double>([[0, 5], [-7, 0], [0, 0]])
    let logits = CosineHead.forward(Matrix([[0, 0.1], [3, 4]]), weights: weights, scale: 10).logits
    #expect(relativeError(logits.storage, [10, 0, 0, 8, -6, 0]) < 1e-15)
  }
}
