/// A batch of images is a matrix `[images, channels * height * width]`, each row in that order (NCHW).
package struct ImageShape: Sendable, Equatable {
  package var channels: Int
  package var height: Int
  package var width: Int

  package init(channels: Int, height: Int, width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }

  /// Numbers in one channel, and in one image.
  package var area: Int { height * width }
  package var count: Int { channels * area }
}

/// A square window moved over an image's rows and columns.
package struct ImageWindow: Sendable, Equatable {
  package var side: Int
  package var stride: Int
  /// Zeros around the image, on every side.
  package var padding: Int

  package init(side: Int, stride: Int = 1, padding: Int = 0) {
    precondition(side > 0 && stride > 0 && padding >= 0, "a window has a side and moves")
    self.side = side
    self.stride = stride
    self.padding = padding
  }

  /// How many positions it has along `length` pixels.
  package func positions(along length: Int) -> Int {
    precondition(length + 2 * padding >= side, "the window fits the padded image")
    return (length + 2 * padding - side) / stride + 1
  }

  /// Calls `body` with every position and, of the pixels under it, those inside the image: the index of the output in
  /// its channel, of the pixel in its channel, and of the tap in the window.
  package func forEachTap(height: Int, width: Int, _ body: (_ output: Int, _ pixel: Int, _ tap: Int) -> Void) {
    let (rows, columns) = (positions(along: height), positions(along: width))
    for row in 0..<rows {
      for column in 0..<columns {
        for tapRow in 0..<side {
          let y = row * stride + tapRow - padding
          guard y >= 0, y < height else { continue }
          for tapColumn in 0..<side {
            let x = column * stride + tapColumn - padding
            guard x >= 0, x < width else { continue }
            body(row * columns + column, y * width + x, tapRow * side + tapColumn)
          }
        }
      }
    }
  }
}
