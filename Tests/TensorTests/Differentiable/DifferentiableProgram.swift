import Tensor
import Testing

/// One operation at one shape, as a test sees it: arrays in, one array out, and the way back.
protocol DifferentiableProgram: Sendable, CustomTestStringConvertible {
  /// How many numbers each input has.
  var inputSizes: [Int] { get }

  /// The output, and what takes a gradient of the output to a gradient of every input.
  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]])

  /// Turns standard normal numbers into inputs the operation is meant for.
  func prepare(_ inputs: [[Double]]) -> [[Double]]
}

extension DifferentiableProgram {
  func prepare(_ inputs: [[Double]]) -> [[Double]] { inputs }

  var testDescription: String { String(describing: self) }

  /// Inputs that single precision holds exactly, so that both precisions start from the same numbers.
  func inputs(seed: UInt64) -> [[Double]] {
    var generator = SeededGenerator(seed: seed)
    let normal = inputSizes.map { size in (0..<size).map { _ in generator.nextGaussian() } }
    return prepare(normal).map { $0.map { Double(Float($0)) } }
  }
}

func upstream(_ count: Int, seed: UInt64) -> [Double] {
  var generator = SeededGenerator(seed: seed ^ 0xDEC0DE)
  return (0..<count).map { _ in Double(Float(generator.nextGaussian())) }
}

/// The largest difference, as a part of the largest number in `reference`; numbers below `floor` count as `floor`, so
/// that gradients that are zero, as of a softmax over one class, are compared absolutely.
func relativeError(_ values: [Double], _ reference: [Double], floor: Double = 1e-2) -> Double {
  precondition(values.count == reference.count, "compared arrays have one length")
  let scale = reference.reduce(floor) { max($0, abs($1)) }
  return zip(values, reference).reduce(0) { worst, pair in
    let difference = abs(pair.0 - pair.1) / scale
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}

/// Central differences of 1e-5 leave about 1e-10 of curvature and 1e-11 of rounding.
let gradientTolerance = 1e-7

/// The gradients a program states against central differences of a random weighting of its output, in double precision.
func gradientCheck(
  _ program: some DifferentiableProgram, seed: UInt64, sourceLocation: SourceLocation = #_sourceLocation
) {
  let inputs = program.inputs(seed: seed)
  let (output, pullBack) = program.run(inputs)
  let weights = upstream(output.count, seed: seed)
  let stated = pullBack(weights)
  let width = 1e-5
  func loss(_ inputs: [[Double]]) -> Double { zip(program.run(inputs).output, weights).reduce(0) { $0 + $1.0 * $1.1 } }
  for (index, input) in inputs.enumerated() {
    let differences = input.indices.map { element in
      var moved = inputs
      moved[index][element] = input[element] + width
      let above = loss(moved)
      moved[index][element] = input[element] - width
      return (above - loss(moved)) / (2 * width)
    }
    let error = relativeError(stated[index], differences)
    #expect(error < gradientTolerance, "input \(index) of \(program), seed \(seed)", sourceLocation: sourceLocation)
  }
}

/// Outputs and gradients in single precision against double precision, from the same inputs.
func precisionCheck(
  _ program: some DifferentiableProgram, seed: UInt64, tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let inputs = program.inputs(seed: seed)
  let exact = program.run(inputs)
  let single = program.run(inputs.map { $0.map(Float.init) })
  let weights = upstream(exact.output.count, seed: seed)
  let outputError = relativeError(single.output.map(Double.init), exact.output)
  #expect(outputError < tolerance, "output of \(program), seed \(seed)", sourceLocation: sourceLocation)
  let gradients = zip(single.pullBack(weights.map(Float.init)), exact.pullBack(weights))
  for (index, (single, exact)) in gradients.enumerated() {
    let error = relativeError(single.map(Double.init), exact)
    #expect(error < tolerance, "gradient \(index) of \(program), seed \(seed)", sourceLocation: sourceLocation)
  }
}

/// Sums of tens of products lose a few of single precision's 6e-8.
let singlePrecisionTolerance = 2e-5

/// Both checks for one program, with three seeds.
func check(
  _ program: some DifferentiableProgram, singleTolerance: Double = singlePrecisionTolerance,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  for seed in UInt64(1)...3 {
    gradientCheck(program, seed: seed, sourceLocation: sourceLocation)
    precisionCheck(program, seed: seed, tolerance: singleTolerance, sourceLocation: sourceLocation)
  }
}

/// Rows and columns that are no multiple of a vector.
let oddShapes = [(1, 1), (3, 7), (5, 13), (1, 9), (8, 1)]
