import Tensor
import Testing

private struct UnitLengthProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let (y, saved) = UnitLength.forward(Matrix(rows: rows, columns: columns, storage: inputs[0]))
    return (
      y.storage,
      { [UnitLength.backward(Matrix(rows: rows, columns: columns, storage: $0), saved: saved).storage] }
    )
  }
}

private struct ArcCosineKernelProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns] }

  /// Cosines inside the ends, where the slope is not smooth.
  func prepare(_ inputs: [[Double]]) -> [[Double]] { inputs.map { $0.map { 0.95 * $0 / (1 + abs($0)) } } }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let u = Matrix(rows: rows, columns: columns, storage: inputs[0])
    return (
      ArcCosineKernel.forward(u).storage,
      { [ArcCosineKernel.backward(Matrix(rows: rows, columns: columns, storage: $0), cosines: u).storage] }
    )
  }
}

private func signs(_ rows: Int, _ classes: Int) -> [[Double]] {
  (0..<rows).map { row in (0..<classes).map { $0 == row % classes ? 1 : -1 } }
}

private func converted<Scalar: KernelScalar>(_ rows: [[Double]]) -> Matrix<Scalar> {
  Matrix(rows.map { $0.map { Scalar($0) } })
}

/// K = Z Z^T / n, positive whatever Z is; the gradient of Z is 2 dK Z / n for a symmetric dK.
private struct LeaveOneOutRidgeProgram: DifferentiableProgram {
  let examples: Int
  let classes: Int
  var inputSizes: [Int] { [examples * examples] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let n = examples
    let z = Matrix(rows: n, columns: n, storage: inputs[0])
    let kernel = z.timesTransposed(z).mapElements { $0 / Scalar(n) }
    let (scores, saved) = LeaveOneOutRidge.forward(
      kernel: kernel, targets: converted(signs(n, classes)), lambda: Scalar(0.5))!
    return (
      scores.storage,
      { gradient in
        let dK = LeaveOneOutRidge.backward(Matrix(rows: n, columns: classes, storage: gradient), saved: saved)
        return [dK.times(z).mapElements { 2 * $0 / Scalar(n) }.storage]
      }
    )
  }
}

private struct CrossEntropyProgram: DifferentiableProgram {
  let rows: Int
  let columns: Int
  var inputSizes: [Int] { [rows * columns, 1] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let (loss, saved) = CrossEntropy.forward(
      Matrix(rows: rows, columns: columns, storage: inputs[0]), labels: (0..<rows).map { $0 % columns },
      logScale: inputs[1][0])
    return (
      [loss],
      {
        let (scores, logScale) = CrossEntropy.backward($0[0], saved: saved)
        return [scores.storage, [logScale]]
      }
    )
  }
}

/// Features to loss, as a meta-learned representation trains: unit rows, their cosines, the kernel, what is left out
/// predicted from the rest, and its cross-entropy.
private struct LeaveOneOutLossProgram: DifferentiableProgram {
  let examples: Int
  let width: Int
  let classes: Int
  var inputSizes: [Int] { [examples * width, 1] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let (units, unitsSaved) = UnitLength.forward(Matrix(rows: examples, columns: width, storage: inputs[0]))
    let cosines = units.timesTransposed(units)
    let kernel = ArcCosineKernel.forward(cosines)
    let (scores, ridge) = LeaveOneOutRidge.forward(
      kernel: kernel, targets: converted(signs(examples, classes)), lambda: Scalar(0.1))!
    let (loss, entropy) = CrossEntropy.forward(
      scores, labels: (0..<examples).map { $0 % classes }, logScale: inputs[1][0])
    return (
      [loss],
      {
        let (dScores, dLogScale) = CrossEntropy.backward($0[0], saved: entropy)
        let dKernel = LeaveOneOutRidge.backward(dScores, saved: ridge)
        let dCosines = ArcCosineKernel.backward(dKernel, cosines: cosines)
        // u = z z^T and du is symmetric.
        let dUnits = dCosines.times(units).mapElements { 2 * $0 }
        return [UnitLength.backward(dUnits, saved: unitsSaved).storage, [dLogScale]]
      }
    )
  }
}

@Suite struct KernelRidgeOperationTests {
  @Test(arguments: oddShapes)
  func unitLengthGradientsAreTheDifferences(rows: Int, columns: Int) {
    check(UnitLengthProgram(rows: rows, columns: columns))
  }

  @Test func rowsOfZerosStayAndGetNoGradient() {
    let (y, saved) = UnitLength.forward(Matrix<Float>([[3, 4], [0, 0]]))
    #expect(y.storage == [0.6, 0.8, 0, 0])
    #expect(UnitLength.backward(Matrix(rows: 2, columns: 2, repeating: 1), saved: saved).row(1) == [0, 0])
  }

  @Test(arguments: oddShapes)
  func arcCosineKernelGradientsAreTheDifferences(rows: Int, columns: Int) {
    check(ArcCosineKernelProgram(rows: rows, columns: columns))
  }

  @Test func arcCosineKernelHasItsKnownValuesAndClampsBeyondOne() {
    let u = Matrix<Double>([[1, 0, -1, 1 + 1e-12, -1 - 1e-12]])
    let ends = ArcCosineKernel.forward(u).storage
    #expect(relativeError(ends, [1, 1 / .pi, 0, 1, 0]) < 1e-15)
    let slopes = ArcCosineKernel.backward(Matrix(rows: 1, columns: 5, repeating: 1), cosines: u).storage
    #expect(relativeError(slopes, [1, 0.5, 0, 1, 0]) < 1e-15)
  }

  @Test func arcCosineKernelAgreesWithTheFastTwin() {
    let u = Matrix(rows: 1, columns: 2001, storage: (0...2000).map { Float($0 - 1000) / 1000 })
    var twin = u.storage
    arcCosineKernel(twin.count, &twin)
    // The twin's stated error.
    #expect(relativeError(ArcCosineKernel.forward(u).storage.map(Double.init), twin.map(Double.init), floor: 1) < 4e-7)
  }

  @Test(arguments: [(1, 1), (3, 2), (7, 3), (13, 1), (21, 5)])
  func leaveOneOutGradientsAreTheDifferences(examples: Int, classes: Int) {
    // Single precision loses what the system's condition number takes, some hundreds here.
    check(LeaveOneOutRidgeProgram(examples: examples, classes: classes), singleTolerance: 1e-3)
  }

  @Test(arguments: [2, 7, 71])
  func leaveOneOutScoresAreThoseOfAFitWithoutTheExample(n: Int) throws {
    let lambda = 0.3
    let features = Matrix(rows: n, columns: 4, storage: upstream(n * 4, seed: 5))
    let kernel = ArcCosineKernel.forward({ $0.timesTransposed($0) }(UnitLength.forward(features).output))
    let targets = Matrix(signs(n, 2))
    let scores = try #require(LeaveOneOutRidge.forward(kernel: kernel, targets: targets, lambda: lambda)).scores
    for left in 0..<n {
      let rest = (0..<n).filter { $0 != left }
      let inner = kernel.selectingRows(rest).transposed().selectingRows(rest)
      let inverse = try #require(LeaveOneOutRidge.inverse(of: inner, plus: lambda, tiles: TileRunner(pool: nil)))
      let coefficients = inverse.times(targets.selectingRows(rest))
      let row = Matrix(rows: 1, columns: n - 1, storage: rest.map { kernel[left, $0] })
      #expect(relativeError(Array(scores.row(left)), row.times(coefficients).storage) < 1e-11)
    }
  }

  @Test(arguments: [1, 63, 65, 300])
  func theInverseTimesTheSystemIsTheIdentity(n: Int) throws {
    let kernel = { $0.timesTransposed($0) }(Matrix(rows: n, columns: 5, storage: upstream(n * 5, seed: 9)))
    let inverse = try #require(LeaveOneOutRidge.inverse(of: kernel, plus: 1, tiles: TileRunner(pool: nil)))
    var system = kernel
    for index in 0..<n { system[index, index] += 1 }
    var identity = Matrix<Double>(rows: n, columns: n)
    for index in 0..<n { identity[index, index] = 1 }
    #expect(relativeError(inverse.times(system).storage, identity.storage) < 1e-11)
  }

  @Test func anIndefiniteKernelGivesNoScores() {
    let kernel = Matrix<Double>([[1, 2], [2, 1]])
    #expect(LeaveOneOutRidge.forward(kernel: kernel, targets: Matrix([[1], [-1]]), lambda: 0.5) == nil)
  }

  @Test func theTraceOfTheKernelGradientIsTheDerivativeByLambda() throws {
    let kernel = Matrix<Double>([[1, 0.3, 0.1], [0.3, 1, -0.2], [0.1, -0.2, 1]])
    let targets = Matrix(signs(3, 2))
    let gradient = Matrix(rows: 3, columns: 2, storage: upstream(6, seed: 3))
    func loss(_ lambda: Double) throws -> Double {
      let scores = try #require(LeaveOneOutRidge.forward(kernel: kernel, targets: targets, lambda: lambda)).scores
      return zip(scores.storage, gradient.storage).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let saved = try #require(LeaveOneOutRidge.forward(kernel: kernel, targets: targets, lambda: 0.2)).saved
    let dK = LeaveOneOutRidge.backward(gradient, saved: saved)
    let trace = dK[0, 0] + dK[1, 1] + dK[2, 2]
    #expect(relativeError([trace], [(try loss(0.2 + 1e-5) - loss(0.2 - 1e-5)) / 2e-5]) < gradientTolerance)
  }

  @Test(arguments: oddShapes)
  func crossEntropyGradientsAreTheDifferences(rows: Int, columns: Int) {
    check(CrossEntropyProgram(rows: rows, columns: columns))
  }

  @Test func crossEntropyOfEqualScoresIsTheLogarithmOfTheClasses() {
    let loss = CrossEntropy.forward(Matrix<Double>(rows: 3, columns: 4, repeating: 7), labels: [0, 1, 3], logScale: 2)
    // log 4.
    #expect(abs(loss.loss - 1.386_294_361_119_890_6) < 1e-14)
  }

  @Test func crossEntropyOfHugeScoresIsFinite() {
    let (loss, saved) = CrossEntropy.forward(Matrix<Float>([[1e30, -1e30]]), labels: [0], logScale: 0)
    #expect(loss == 0 && CrossEntropy.backward(saved: saved).scores.storage == [0, 0])
  }

  @Test(arguments: [(6, 5, 2), (13, 7, 3)])
  func gradientsOfTheWholeLeaveOneOutLossAreTheDifferences(examples: Int, width: Int, classes: Int) {
    check(LeaveOneOutLossProgram(examples: examples, width: width, classes: classes), singleTolerance: 1e-3)
  }
}
