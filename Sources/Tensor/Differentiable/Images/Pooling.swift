/// Images `[n, channels, height, width]` to `[n, channels, height', width']`: the largest pixel under the window.
package struct MaxPool2D: Sendable, Equatable {
  package let input: ImageShape
  package let output: ImageShape
  package let window: ImageWindow

  /// The padding is less than the window's side, so that every position has a pixel.
  package init(input: ImageShape, window: ImageWindow) {
    precondition(window.padding < window.side, "every position has a pixel")
    self.input = input
    self.window = window
    output = ImageShape(
      channels: input.channels, height: window.positions(along: input.height),
      width: window.positions(along: input.width))
  }

  /// `winners`: the pixel each output came from, an index into the batch; the first of equals.
  @specialized(where Scalar == Float)
  package func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> (output: Matrix<Scalar>, winners: [Int]) {
    precondition(x.columns == input.count, "images of the stated shape")
    var result = Matrix<Scalar>(rows: x.rows, columns: output.count)
    var winners = [Int](repeating: -1, count: result.storage.count)
    result.storage.withUnsafeMutableBufferPointer { y in
      winners.withUnsafeMutableBufferPointer { winners in
        x.storage.withUnsafeBufferPointer { x in
          for channel in 0..<x.count / input.area {
            window.forEachTap(height: input.height, width: input.width) { position, pixel, _ in
              let (target, source) = (channel * output.area + position, channel * input.area + pixel)
              guard winners[target] < 0 || x[source] > y[target] else { return }
              y[target] = x[source]
              winners[target] = source
            }
          }
        }
      }
    }
    return (result, winners)
  }

  /// The whole gradient goes to the winner.
  @specialized(where Scalar == Float)
  package func backward<Scalar: KernelScalar>(_ gradient: Matrix<Scalar>, winners: [Int]) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: gradient.rows, columns: input.count)
    result.storage.withUnsafeMutableBufferPointer { dx in
      for (target, source) in winners.enumerated() { dx[source] += gradient.storage[target] }
    }
    return result
  }
}

/// Images `[n, channels, height, width]` to `[n, channels, height', width']`: the mean under the window, which counts the
/// padding's zeros, as PyTorch's `AvgPool2d` does unless told otherwise.
package struct AveragePool2D: Sendable, Equatable {
  package let input: ImageShape
  package let output: ImageShape
  package let window: ImageWindow

  package init(input: ImageShape, window: ImageWindow) {
    self.input = input
    self.window = window
    output = ImageShape(
      channels: input.channels, height: window.positions(along: input.height),
      width: window.positions(along: input.width))
  }

  @specialized(where Scalar == Float)
  package func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    precondition(x.columns == input.count, "images of the stated shape")
    var result = Matrix<Scalar>(rows: x.rows, columns: output.count)
    let share = 1 / Scalar(window.side * window.side)
    result.storage.withUnsafeMutableBufferPointer { y in
      x.storage.withUnsafeBufferPointer { x in
        for channel in 0..<x.count / input.area {
          window.forEachTap(height: input.height, width: input.width) { position, pixel, _ in
            y[channel * output.area + position] += share * x[channel * input.area + pixel]
          }
        }
      }
    }
    return result
  }

  /// Every pixel gets its share of each window it was under.
  @specialized(where Scalar == Float)
  package func backward<Scalar: KernelScalar>(_ gradient: Matrix<Scalar>) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: gradient.rows, columns: input.count)
    let share = 1 / Scalar(window.side * window.side)
    result.storage.withUnsafeMutableBufferPointer { dx in
      gradient.storage.withUnsafeBufferPointer { dy in
        for channel in 0..<dx.count / input.area {
          window.forEachTap(height: input.height, width: input.width) { position, pixel, _ in
            dx[channel * input.area + pixel] += share * dy[channel * output.area + position]
          }
        }
      }
    }
    return result
  }
}
