package import Tensor

/// Square images of one size and their classes.
package struct LabelledImages: Sendable {
  /// `[channels, side, side]` each, about zero with a deviation of about 1.
  package var images: [[Float]]
  package var labels: [Int]

  package init(images: [[Float]] = [], labels: [Int] = []) {
    precondition(images.count == labels.count, "a label an image")
    self.images = images
    self.labels = labels
  }

  package var count: Int { images.count }

  package mutating func append(_ other: LabelledImages) {
    images += other.images
    labels += other.labels
  }

  package func selecting(_ indices: some Sequence<Int>) -> LabelledImages {
    let indices = Array(indices)
    return LabelledImages(images: indices.map { images[$0] }, labels: indices.map { labels[$0] })
  }
}

/// How an image is moved before it is learned from: the cheapest of augmentations.
package struct ImageShift: Sendable, Equatable {
  /// Pixels to the right and down; the edge is repeated.
  package let right: Int
  package let down: Int
  package let isFlipped: Bool

  package static let none = ImageShift(right: 0, down: 0, isFlipped: false)

  package init(right: Int, down: Int, isFlipped: Bool) {
    self.right = right
    self.down = down
    self.isFlipped = isFlipped
  }

  /// Up to `most` pixels each way.
  package init(most: Int, flips: Bool, _ generator: inout SeededGenerator) {
    right = Int.random(in: -most...most, using: &generator)
    down = Int.random(in: -most...most, using: &generator)
    isFlipped = flips && Bool.random(using: &generator)
  }
}

extension NetworkShape {
  /// Images as the network takes them, `[images * tokens, patch inputs]`: patch after patch, row by row; within a patch
  /// channel after channel.
  package func patches(of images: [[Float]], shifts: [ImageShift]? = nil) -> Matrix<Float> {
    var result = Matrix<Float>(rows: images.count * tokens, columns: patchInputs)
    result.storage.withUnsafeMutableBufferPointer { result in
      for (index, image) in images.enumerated() {
        precondition(image.count == pixels, "images of the network's size")
        let shift = shifts?[index] ?? .none
        image.withUnsafeBufferPointer { image in
          for channel in 0..<channels {
            for y in 0..<side {
              let fromY = min(max(y - shift.down, 0), side - 1)
              for x in 0..<side {
                let shifted = min(max(x - shift.right, 0), side - 1)
                let fromX = shift.isFlipped ? side - 1 - shifted : shifted
                let row = index * tokens + y / patch * patchesPerSide + x / patch
                let column = (channel * patch + y % patch) * patch + x % patch
                result[row * patchInputs + column] = image[(channel * side + fromY) * side + fromX]
              }
            }
          }
        }
      }
    }
    return result
  }
}
