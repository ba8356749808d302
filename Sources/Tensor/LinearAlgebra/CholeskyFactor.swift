/// A symmetric positive definite system of order n, factored as L L^T in place, with further rows below it that are
/// solved against L^T on the way: row r becomes r L^-T. The work is spread over the workers in tiles.
///
/// Use: write the lower triangle and the further rows through `row(_:)`, call `factor`, then read. Memory is
/// `(order + furtherRows) * stride` scalars. One caller at a time; results do not depend on the number of workers.
package final class CholeskyFactor<Scalar: KernelScalar>: Sendable {
  package let order: Int
  package let furtherRows: Int
  /// Scalars from one row to the next.
  package let stride: Int
  @usableFromInline let matrix: TileMemory<Scalar>
  private let inverses: TileMemory<Scalar>
  private let tiles: TileRunner

  /// Columns factored at once, and the side of a tile of the rest's update.
  private static var panel: Int { 256 }
  private static var tile: Int { 384 }

  package init(order: Int, furtherRows: Int, tiles: TileRunner) {
    self.order = order
    self.furtherRows = furtherRows
    self.tiles = tiles
    stride = TileMemory<Scalar>.stride(columns: order)
    matrix = TileMemory(count: (order + furtherRows) * stride)
    inverses = TileMemory(count: (order + 63) / 64 * 64 * 64)
  }

  /// Row `index`: of the system's lower triangle (columns `0...index`) below `order`, of the further rows from there.
  @inlinable
  package func row(_ index: Int) -> UnsafeMutablePointer<Scalar> { matrix.base + index * stride }

  /// Factors what was written. False when the matrix is not positive definite in this precision.
  package func factor() -> Bool {
    let rows = order + furtherRows
    for start in Swift.stride(from: 0, to: order, by: Self.panel) {
      let width = min(Self.panel, order - start)
      let diagonal = row(start) + start
      let blocks = inverses.base + start * 64
      guard Scalar.cholesky(width, diagonal, stride, inverses: blocks) == 0 else { return false }
      let rest = start + width
      let chunks = Self.chunks(rest..<rows, by: Self.tile)
      tiles.run(chunks.count) { [self] index in
        Scalar.solveLower(
          chunks[index].count, width, row(start) + start, stride, inverses: inverses.base + start * 64,
          row(chunks[index].lowerBound) + start, stride)
      }
      let columns = Self.chunks(rest..<order, by: Self.tile)
      let pairs = columns.indices.flatMap { column in (column..<chunks.count).map { (row: $0, column: column) } }
      tiles.run(pairs.count) { [self] index in
        let left = chunks[pairs[index].row]
        let top = columns[pairs[index].column]
        // On the diagonal only what is at or below it, in narrow columns.
        let onDiagonal = left.lowerBound == top.lowerBound
        for column in Swift.stride(from: top.lowerBound, to: top.upperBound, by: onDiagonal ? 96 : top.count) {
          let first = onDiagonal ? column : left.lowerBound
          let columnCount = min(onDiagonal ? 96 : top.count, top.upperBound - column)
          Scalar.multiply(
            left.upperBound - first, columnCount, width, alpha: -1, row(first) + start, stride, row(column) + start,
            stride, beta: 1, row(first) + column, stride)
        }
      }
    }
    return true
  }

  /// The first column `inverseRows` writes for rows from `row` on.
  package func firstColumn(ofInverseRow row: Int) -> Int { row / 64 * 64 }

  /// Rows `range` of L^-T, which is upper triangular: `strip[i][j]` is element `(range.lowerBound + i, first + j)` with
  /// `first = firstColumn(ofInverseRow: range.lowerBound)`, for `order - first` columns.
  ///
  /// With u a row of it, the inverse of the system has u_i . u_j at (i, j). Runs on the calling thread and lets urgent
  /// work in between blocks; several ranges may be computed at the same time.
  package func inverseRows(_ range: Range<Int>, into strip: UnsafeMutablePointer<Scalar>, stride ldx: Int) {
    let first = firstColumn(ofInverseRow: range.lowerBound)
    for (index, target) in range.enumerated() {
      UnsafeMutableRawPointer(strip + index * ldx)
        .initializeMemory(as: UInt8.self, repeating: 0, count: (order - first) * MemoryLayout<Scalar>.stride)
      strip[index * ldx + target - first] = 1
    }
    for start in Swift.stride(from: first, to: order, by: Self.panel) {
      let width = min(Self.panel, order - start)
      if start > first {
        Scalar.multiply(
          range.count, width, start - first, alpha: -1, strip, ldx, row(start) + first, stride, beta: 1,
          strip + start - first, ldx)
      }
      Scalar.solveLower(
        range.count, width, row(start) + start, stride, inverses: inverses.base + start * 64, strip + start - first,
        ldx)
      tiles.yield()
    }
  }

  /// Solves the further rows `range` (counted from `order`) against L once more, which makes them r L^-T L^-1, the
  /// solution of the whole system for the row r that was written. On the calling thread.
  package func solveFurther(_ range: Range<Int>) {
    Scalar.solveUpper(
      range.count, order, matrix.base, stride, inverses: inverses.base, row(order + range.lowerBound), stride)
  }

  private static func chunks(_ range: Range<Int>, by size: Int) -> [Range<Int>] {
    Swift.stride(from: range.lowerBound, to: range.upperBound, by: size).map {
      $0..<min($0 + size, range.upperBound)
    }
  }
}
