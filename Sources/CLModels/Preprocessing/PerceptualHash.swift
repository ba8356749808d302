/// 64-bit difference hash (dHash): whether brightness falls from each cell of a 9 x 8 grid to its right neighbour.
///
/// Survives re-encoding and resizing. Says little about plain drawings, whose cells are mostly equal: ask
/// `NearDuplicateFingerprint` whether two images are near-duplicates.
package struct PerceptualHash: Sendable, Hashable {
  /// Bit `8 * row + column`.
  package let bits: UInt64

  package init(bits: UInt64) {
    self.bits = bits
  }

  /// Reads at most about 50,000 pixels, whatever the image's size.
  package init(of image: RGBImage) {
    let grid = GreyGrid(of: image, columns: 9, rows: 8)
    var bits: UInt64 = 0
    for row in 0..<8 {
      for column in 0..<8 where grid[column, row] > grid[column + 1, row] {
        bits |= 1 << UInt64(8 * row + column)
      }
    }
    self.bits = bits
  }

  /// How many of the 64 comparisons differ.
  package func distance(to other: Self) -> Int {
    (bits ^ other.bits).nonzeroBitCount
  }
}

/// An image box-filtered to a few cells of brightness, each in 0...255 (ITU-R 601 weights).
struct GreyGrid {
  let columns: Int
  let rows: Int
  /// `[rows, columns]`.
  let cells: [Float]

  subscript(column: Int, row: Int) -> Float { cells[row * columns + column] }

  /// Every cell is the mean of up to 24 x 24 pixels spread evenly over its part of the image. An image with fewer pixels
  /// than cells repeats them.
  init(of image: RGBImage, columns: Int, rows: Int) {
    let xs = Self.samples(side: image.width, cells: columns)
    let ys = Self.samples(side: image.height, cells: rows)
    var cells: [Float] = []
    cells.reserveCapacity(columns * rows)
    image.pixels.withUnsafeBufferPointer { pixels in
      for row in 0..<rows {
        for column in 0..<columns {
          var sum = 0
          for y in ys[row] {
            let start = y * image.width * 3
            for x in xs[column] {
              let index = start + x * 3
              sum += 299 * Int(pixels[index]) + 587 * Int(pixels[index + 1]) + 114 * Int(pixels[index + 2])
            }
          }
          cells.append(Float(sum) / Float(1000 * xs[column].count * ys[row].count))
        }
      }
    }
    self.columns = columns
    self.rows = rows
    self.cells = cells
  }

  /// For each cell of one axis, the positions that are read.
  private static func samples(side: Int, cells: Int) -> [[Int]] {
    (0..<cells).map { cell in
      let first = cell * side / cells
      let end = max((cell + 1) * side / cells, first + 1)
      let count = min(end - first, 24)
      return (0..<count).map { first + (2 * $0 + 1) * (end - first) / (2 * count) }
    }
  }
}
