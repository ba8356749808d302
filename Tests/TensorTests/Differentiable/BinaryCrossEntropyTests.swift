import Tensor
import Testing

private struct BinaryCrossEntropyProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let logits = Matrix(rows: rows, columns: columns, storage: inputs[0])
    // 0, 1/4, 1/2, 3/4 and 1.
    let targets = Matrix(
      rows: rows, columns: columns, storage: (0..<rows * columns).map { Scalar($0 % 5) / 4 })
    let (loss, saved) = BinaryCrossEntropy.forward(logits, targets: targets)
    return ([loss], { [BinaryCrossEntropy.backward($0[0], saved: saved).storage] })
  }
}

@Suite struct BinaryCrossEntropyTests {
  @Test(arguments: oddShapes)
  func gradientsAreTheDifferences(rows: Int, columns: Int) {
    check(BinaryCrossEntropyProgram(rows: rows, columns: columns))
  }

  /// sigmoid(log 3) = 3/4.
  @Test func theLossIsTheMeanOverElements() {
    let logits = Matrix<Double>([[Double.logarithm(3), 0]])
    let loss = BinaryCrossEntropy.forward(logits, targets: Matrix([[1, 0]])).loss
    #expect(abs(loss - (Double.logarithm(4.0 / 3) + Double.logarithm(2)) / 2) < 1e-15)
  }

  @Test func hugeLogitsGiveFiniteLosses() {
    let logits = Matrix<Float>([[1e30, -1e30], [1e30, -1e30]])
    let (loss, saved) = BinaryCrossEntropy.forward(logits, targets: Matrix([[1, 0], [0, 1]]))
    #expect(loss == 5e29)
    #expect(BinaryCrossEntropy.backward(saved: saved).storage == [0, 0, 0.25, -0.25])
  }
}
