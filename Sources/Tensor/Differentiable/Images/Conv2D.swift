/// Images `[n, inputs, height, width]` to `[n, outputs, height', width']`: cross-correlation with weights
/// `[outputs, inputs / groups * side * side]`, a bias an output, as PyTorch's `Conv2d`. An output sees the channels of
/// its group only; `groups == inputs` is a depthwise convolution.
///
/// Each group of an image is a matrix product of the weights and the pixels under the window (im2col, as in Caffe,
/// Jia et al. 2014), which are copied to `[positions, taps]` first.
package struct Conv2D: Sendable, Equatable {
  package let input: ImageShape
  package let output: ImageShape
  package let window: ImageWindow
  package let groups: Int

  package init(input: ImageShape, outputs: Int, window: ImageWindow, groups: Int = 1) {
    precondition(
      groups > 0 && input.channels.isMultiple(of: groups) && outputs.isMultiple(of: groups), "groups of one size")
    self.input = input
    self.window = window
    self.groups = groups
    output = ImageShape(
      channels: outputs, height: window.positions(along: input.height), width: window.positions(along: input.width))
  }

  /// Weights of one output.
  package var taps: Int { input.channels / groups * window.side * window.side }

  @specialized(where Scalar == Float)
  package func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, weights: Matrix<Scalar>, bias: [Scalar]
  ) -> Matrix<Scalar> {
    precondition(
      x.columns == input.count && bias.count == output.channels, "images of the stated shape, a bias an output")
    precondition(weights.rows == output.channels && weights.columns == taps, "a weight row an output")
    var result = Matrix<Scalar>(rows: x.rows, columns: output.count)
    for image in 0..<x.rows {
      for group in 0..<groups {
        let y = self.weights(weights, of: group).timesTransposed(pixels(x, image: image, group: group))
        result.storage.replaceSubrange(range(image: image, group: group), with: y.storage)
      }
    }
    result.storage.withUnsafeMutableBufferPointer { y in
      for index in y.indices { y[index] += bias[index / output.area % output.channels] }
    }
    return result
  }

  /// With C the pixels under the window: dW = dy C, dC = dy^T W, which is added back to the pixels, and db = the sum of dy
  /// over images and positions.
  @specialized(where Scalar == Float)
  package func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, input x: Matrix<Scalar>, weights: Matrix<Scalar>
  ) -> (input: Matrix<Scalar>, weights: Matrix<Scalar>, bias: [Scalar]) {
    var inputGradient = Matrix<Scalar>(rows: x.rows, columns: input.count)
    var weightGradient = Matrix<Scalar>(rows: weights.rows, columns: weights.columns)
    var biasGradient = [Scalar](repeating: 0, count: output.channels)
    let outputs = output.channels / groups
    for image in 0..<x.rows {
      for group in 0..<groups {
        let range = range(image: image, group: group)
        let dy = Matrix(rows: outputs, columns: output.area, storage: Array(gradient.storage[range]))
        let share = dy.times(pixels(x, image: image, group: group))
        let first = group * outputs * taps
        for index in share.storage.indices { weightGradient.storage[first + index] += share.storage[index] }
        for row in 0..<outputs { biasGradient[group * outputs + row] += dy.row(row).reduce(0, +) }
        addPixels(dy.transposedTimes(self.weights(weights, of: group)), to: &inputGradient, image: image, group: group)
      }
    }
    return (inputGradient, weightGradient, biasGradient)
  }

  /// One group of one image as `[positions, taps]`, 0 where the window is off the image.
  private func pixels<Scalar: KernelScalar>(_ x: Matrix<Scalar>, image: Int, group: Int) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: output.area, columns: taps)
    let channels = input.channels / groups
    let (taps, square) = (taps, window.side * window.side)
    result.storage.withUnsafeMutableBufferPointer { result in
      x.storage.withUnsafeBufferPointer { x in
        for channel in 0..<channels {
          let base = image * input.count + (group * channels + channel) * input.area
          window.forEachTap(height: input.height, width: input.width) { output, pixel, tap in
            result[output * taps + channel * square + tap] = x[base + pixel]
          }
        }
      }
    }
    return result
  }

  /// The transpose of `pixels`: adds every tap to the pixel it came from.
  private func addPixels<Scalar: KernelScalar>(
    _ pixels: Matrix<Scalar>, to target: inout Matrix<Scalar>, image: Int, group: Int
  ) {
    let channels = input.channels / groups
    let (taps, square) = (taps, window.side * window.side)
    target.storage.withUnsafeMutableBufferPointer { target in
      pixels.storage.withUnsafeBufferPointer { pixels in
        for channel in 0..<channels {
          let base = image * input.count + (group * channels + channel) * input.area
          window.forEachTap(height: input.height, width: input.width) { output, pixel, tap in
            target[base + pixel] += pixels[output * taps + channel * square + tap]
          }
        }
      }
    }
  }

  /// Where one group's outputs of one image are.
  private func range(image: Int, group: Int) -> Range<Int> {
    let count = output.count / groups
    let first = image * output.count + group * count
    return first..<first + count
  }

  private func weights<Scalar: KernelScalar>(_ weights: Matrix<Scalar>, of group: Int) -> Matrix<Scalar> {
    groups == 1 ? weights : weights.selectingRows(group * weights.rows / groups..<(group + 1) * weights.rows / groups)
  }
}
