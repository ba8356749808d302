package import Tensor

/// A group too large for one tile in leave-one-group-out of random features: rows of V, spread over the workers.
///
/// Its system I - V V^T has as many rows as the group has members. With more members than columns that is
/// (I - V V^T)^-1 r = r + V (I - V^T V)^-1 V^T r (Woodbury), a system of as many rows as there are columns. So beside V
/// and r it takes about 12 bytes times the square of the smaller number in single precision, 16 in double.
package struct LargeGroup<Scalar: KernelScalar>: Sendable {
  /// Groups from this size on are worth the workers.
  package static var smallest: Int { 512 }

  /// V, `[count, rows.order]`, stands in `rows` from row `first` on.
  private let rows: CholeskyFactor<Scalar>
  private let first: Int
  private let count: Int
  private let tiles: TileRunner

  private static var side: Int { 256 }
  /// Members turned and multiplied at once.
  private static var chunk: Int { 2_048 }

  package init(rows: CholeskyFactor<Scalar>, first: Int, count: Int, tiles: TileRunner) {
    self.rows = rows
    self.first = first
    self.count = count
    self.tiles = tiles
  }

  /// Solves (I - V V^T) z = r; r is `[count, rights]` and begins at row `start` of `right`. Nil when the system is not
  /// positive definite.
  package func solve(right: TileMemory<Scalar>, from start: Int, rights: Int) -> [Double]? {
    count <= rows.order
      ? solveByMembers(right: right, from: start, rights: rights)
      : solveByColumns(right: right, from: start, rights: rights)
  }

  private func solveByMembers(right: TileMemory<Scalar>, from start: Int, rights: Int) -> [Double]? {
    let gramStride = TileMemory<Scalar>.stride(columns: count)
    let gram = TileMemory<Scalar>(count: count * gramStride)
    forEachBlockPair(of: count) { row, column in
      Scalar.multiply(
        row.count, column.count, rows.order, alpha: 1, rows.row(first + row.lowerBound), rows.stride,
        rows.row(first + column.lowerBound), rows.stride, beta: 0,
        gram.base + row.lowerBound * gramStride + column.lowerBound, gramStride)
    }
    let solved = solveIdentityMinus(gram, order: count, stride: gramStride, rights: rights) { label, member in
      right.base[(start + member) * rights + label]
    }
    guard let solved else { return nil }
    var result = [Double](repeating: 0, count: count * rights)
    for member in 0..<count {
      for label in 0..<rights { result[member * rights + label] = solved.row(count + label)[member] }
    }
    return result
  }

  private func solveByColumns(right: TileMemory<Scalar>, from start: Int, rights: Int) -> [Double]? {
    let order = rows.order
    let gramStride = TileMemory<Scalar>.stride(columns: order)
    let gram = TileMemory<Scalar>(count: order * gramStride)
    let projected = TileMemory<Scalar>(count: rights * gramStride)
    addProducts(to: gram, projected, stride: gramStride, right: right, from: start, rights: rights)
    let solved = solveIdentityMinus(gram, order: order, stride: gramStride, rights: rights) { label, column in
      projected.base[label * gramStride + column]
    }
    guard let solved else { return nil }
    for label in 0..<rights {
      for column in 0..<order {
        projected.base[label * gramStride + column] = Scalar(solved.row(order + label)[column])
      }
    }
    let result = TileMemory<Scalar>(count: count * rights)
    tiles.run((count + Self.side - 1) / Self.side) { index in
      let members = index * Self.side..<min(count, (index + 1) * Self.side)
      let out = result.base + members.lowerBound * rights
      for offset in 0..<members.count * rights {
        out[offset] = right.base[(start + members.lowerBound) * rights + offset]
      }
      Scalar.multiply(
        members.count, rights, order, alpha: 1, rows.row(first + members.lowerBound), rows.stride, projected.base,
        gramStride, beta: 1, out, rights)
    }
    return (0..<count * rights).map { Double(result.base[$0]) }
  }

  /// V^T V, lower triangle, and r^T V, `[rights, order]`. V is turned a chunk of members at a time.
  private func addProducts(
    to gram: TileMemory<Scalar>, _ projected: TileMemory<Scalar>, stride gramStride: Int, right: TileMemory<Scalar>,
    from start: Int, rights: Int
  ) {
    let order = rows.order
    let turnedStride = TileMemory<Scalar>.stride(columns: min(count, Self.chunk))
    let turned = TileMemory<Scalar>(count: order * turnedStride)
    let turnedRight = TileMemory<Scalar>(count: rights * turnedStride)
    let blocks = (order + Self.side - 1) / Self.side
    for done in stride(from: 0, to: count, by: Self.chunk) {
      let size = min(Self.chunk, count - done)
      let beta: Scalar = done == 0 ? 0 : 1
      for label in 0..<rights {
        for member in 0..<size {
          turnedRight.base[label * turnedStride + member] = right.base[(start + done + member) * rights + label]
        }
      }
      tiles.run(blocks) { index in
        let columns = index * Self.side..<min(order, (index + 1) * Self.side)
        for member in 0..<size {
          let row = rows.row(first + done + member)
          for column in columns { turned.base[column * turnedStride + member] = row[column] }
        }
        Scalar.multiply(
          rights, columns.count, size, alpha: 1, turnedRight.base, turnedStride,
          turned.base + columns.lowerBound * turnedStride, turnedStride, beta: beta,
          projected.base + columns.lowerBound, gramStride)
      }
      forEachBlockPair(of: order) { row, column in
        Scalar.multiply(
          row.count, column.count, size, alpha: 1, turned.base + row.lowerBound * turnedStride, turnedStride,
          turned.base + column.lowerBound * turnedStride, turnedStride, beta: beta,
          gram.base + row.lowerBound * gramStride + column.lowerBound, gramStride)
      }
    }
  }

  /// Runs a tile for every pair of blocks of the lower triangle.
  private func forEachBlockPair(of size: Int, _ tile: @escaping @Sendable (Range<Int>, Range<Int>) -> Void) {
    let blocks = stride(from: 0, to: size, by: Self.side).map { $0..<min(size, $0 + Self.side) }
    let pairs = blocks.indices.flatMap { row in (0...row).map { (row: row, column: $0) } }
    tiles.run(pairs.count) { tile(blocks[pairs[$0].row], blocks[pairs[$0].column]) }
  }

  /// Solves I - `gram` in double precision; the solutions are the further rows of the result.
  private func solveIdentityMinus(
    _ gram: TileMemory<Scalar>, order: Int, stride: Int, rights: Int, right: (Int, Int) -> Scalar
  ) -> CholeskyFactor<Double>? {
    let system = CholeskyFactor<Double>(order: order, furtherRows: rights, tiles: tiles)
    tiles.run((order + Self.side - 1) / Self.side) { index in
      for row in index * Self.side..<min(order, (index + 1) * Self.side) {
        let to = system.row(row)
        for column in 0...row { to[column] = -Double(gram.base[row * stride + column]) }
        to[row] += 1
      }
    }
    for label in 0..<rights {
      let to = system.row(order + label)
      for index in 0..<order { to[index] = Double(right(label, index)) }
    }
    guard system.factor() else { return nil }
    let chunk = 16
    tiles.run((rights + chunk - 1) / chunk) { index in
      system.solveFurther(index * chunk..<min(rights, (index + 1) * chunk))
    }
    return system
  }
}
