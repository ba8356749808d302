import Tensor
import Testing

/// A convolution small enough to differentiate number by number.
struct ConvolutionCase: Sendable {
  var images = 2
  let channels: Int
  let height: Int
  let width: Int
  let outputs: Int
  let window: ImageWindow
  var groups = 1

  var layer: Conv2D {
    Conv2D(
      input: ImageShape(channels: channels, height: height, width: width), outputs: outputs, window: window,
      groups: groups)
  }

  static let all = [
    ConvolutionCase(images: 1, channels: 1, height: 1, width: 1, outputs: 1, window: ImageWindow(side: 1)),
    ConvolutionCase(channels: 3, height: 5, width: 7, outputs: 4, window: ImageWindow(side: 3, padding: 1)),
    ConvolutionCase(
      images: 3, channels: 2, height: 7, width: 6, outputs: 5, window: ImageWindow(side: 3, stride: 2, padding: 2)),
    ConvolutionCase(
      channels: 4, height: 5, width: 4, outputs: 6, window: ImageWindow(side: 2, stride: 2), groups: 2),
    ConvolutionCase(
      channels: 3, height: 6, width: 5, outputs: 3, window: ImageWindow(side: 3, padding: 1), groups: 3),
  ]
}

private struct ConvolutionProgram: DifferentiableProgram {
  let shape: ConvolutionCase
  var inputSizes: [Int] {
    [shape.images * shape.layer.input.count, shape.outputs * shape.layer.taps, shape.outputs]
  }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let layer = shape.layer
    let x = Matrix(rows: shape.images, columns: layer.input.count, storage: inputs[0])
    let weights = Matrix(rows: shape.outputs, columns: layer.taps, storage: inputs[1])
    return (
      layer.forward(x, weights: weights, bias: inputs[2]).storage,
      {
        let gradient = Matrix(rows: shape.images, columns: layer.output.count, storage: $0)
        let (dx, dW, db) = layer.backward(gradient, input: x, weights: weights)
        return [dx.storage, dW.storage, db]
      }
    )
  }
}

private enum ImageOperation: CaseIterable { case maximum, average, normalization }

private struct ImageProgram: DifferentiableProgram {
  let operation: ImageOperation
  let images: Int
  let shape: ImageShape
  let window: ImageWindow
  var inputSizes: [Int] { [images * shape.count, shape.channels, shape.channels] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let x = Matrix(rows: images, columns: shape.count, storage: inputs[0])
    let unused = [Scalar](repeating: 0, count: shape.channels)
    func gradient(_ numbers: [Scalar]) -> Matrix<Scalar> {
      Matrix(rows: images, columns: numbers.count / images, storage: numbers)
    }
    switch operation {
    case .maximum:
      let pool = MaxPool2D(input: shape, window: window)
      let (y, winners) = pool.forward(x)
      return (y.storage, { [pool.backward(gradient($0), winners: winners).storage, unused, unused] })
    case .average:
      let pool = AveragePool2D(input: shape, window: window)
      return (pool.forward(x).storage, { [pool.backward(gradient($0)).storage, unused, unused] })
    case .normalization:
      let (y, saved) = BatchNorm2D.forward(x, shape: shape, gain: inputs[1], bias: inputs[2], epsilon: Scalar(1e-2))
      return (
        y.storage,
        {
          let (dx, dGain, dBias) = BatchNorm2D.backward(gradient($0), shape: shape, saved: saved, gain: inputs[1])
          return [dx.storage, dGain, dBias]
        }
      )
    }
  }
}

@Suite struct ImageOperationTests {
  @Test(arguments: ConvolutionCase.all)
  func convolutionGradientsAreTheDifferences(shape: ConvolutionCase) {
    check(ConvolutionProgram(shape: shape))
  }

  /// The definition, number by number.
  @Test(arguments: ConvolutionCase.all)
  func convolutionsEqualTheDefinition(shape: ConvolutionCase) {
    let layer = shape.layer
    let (side, window) = (shape.window.side, shape.window)
    let x = Matrix(
      rows: shape.images, columns: layer.input.count, storage: upstream(shape.images * layer.input.count, seed: 1))
    let weights = Matrix(
      rows: shape.outputs, columns: layer.taps, storage: upstream(shape.outputs * layer.taps, seed: 2))
    let bias = upstream(shape.outputs, seed: 3)
    let inputsPerGroup = shape.channels / shape.groups
    var expected: [Double] = []
    for image in 0..<shape.images {
      for output in 0..<shape.outputs {
        let firstChannel = output / (shape.outputs / shape.groups) * inputsPerGroup
        for row in 0..<layer.output.height {
          for column in 0..<layer.output.width {
            var sum = bias[output]
            for tap in 0..<layer.taps {
              let channel = firstChannel + tap / (side * side)
              let y = row * window.stride - window.padding + tap / side % side
              let x0 = column * window.stride - window.padding + tap % side
              guard (0..<shape.height).contains(y), (0..<shape.width).contains(x0) else { continue }
              sum += weights[output, tap] * x[image, (channel * shape.height + y) * shape.width + x0]
            }
            expected.append(sum)
          }
        }
      }
    }
    #expect(relativeError(layer.forward(x, weights: weights, bias: bias).storage, expected) < 1e-14)
  }

  @Test(arguments: [
    (1, ImageShape(channels: 1, height: 1, width: 1), ImageWindow(side: 1)),
    (2, ImageShape(channels: 3, height: 5, width: 7), ImageWindow(side: 2, stride: 2)),
    (3, ImageShape(channels: 2, height: 7, width: 5), ImageWindow(side: 3, stride: 2, padding: 1)),
  ])
  func poolingAndNormalizationGradientsAreTheDifferences(images: Int, shape: ImageShape, window: ImageWindow) {
    for operation in ImageOperation.allCases {
      check(ImageProgram(operation: operation, images: images, shape: shape, window: window))
    }
  }

  @Test func poolsTakeTheLargestAndTheMean() {
    let shape = ImageShape(channels: 1, height: 2, width: 4)
    let x = Matrix<Float>([[1, 2, -5, -6, 3, 4, -7, -8]])
    let window = ImageWindow(side: 2, stride: 2)
    let (largest, winners) = MaxPool2D(input: shape, window: window).forward(x)
    #expect(largest.storage == [4, -5] && winners == [5, 2])
    #expect(AveragePool2D(input: shape, window: window).forward(x).storage == [2.5, -6.5])
  }

  @Test func paddingNeverWinsAndCountsAsZeroInTheMean() {
    let shape = ImageShape(channels: 1, height: 1, width: 1)
    let window = ImageWindow(side: 2, stride: 2, padding: 1)
    #expect(MaxPool2D(input: shape, window: window).forward(Matrix<Float>([[-3]])).output.storage == [-3])
    #expect(AveragePool2D(input: shape, window: window).forward(Matrix<Float>([[-4]])).storage == [-1])
  }

  @Test func normalizedChannelsHaveMeanZeroAndVarianceOne() {
    let shape = ImageShape(channels: 2, height: 3, width: 3)
    let x = Matrix(rows: 4, columns: 18, storage: upstream(72, seed: 6).map { 50 + 7 * $0 })
    let (y, saved) = BatchNorm2D.forward(x, shape: shape, gain: [1, 1], bias: [0, 0], epsilon: 0)
    for channel in 0..<2 {
      func numbers(_ matrix: Matrix<Double>) -> [Double] {
        (0..<4).flatMap { Array(matrix.row($0).dropFirst(channel * 9).prefix(9)) }
      }
      let mean = numbers(x).reduce(0, +) / 36
      let variance = numbers(x).reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 36
      #expect(relativeError([saved.means[channel], saved.variances[channel]], [mean, variance]) < 1e-13)
      let expected = numbers(x).map { ($0 - mean) / variance.squareRoot() }
      #expect(relativeError(numbers(y), expected) < 1e-13)
    }
  }
}
