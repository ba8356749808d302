/// Runs the tiles of a computation on a pool's workers as background work, or on the calling thread without a pool.
/// After each tile urgent work gets its turn, so a tile should take a few milliseconds at most.
package struct TileRunner: Sendable {
  package let pool: ComputePool?

  package init(pool: ComputePool?) { self.pool = pool }

  /// Runs `tile(0..<count)`, in any order and at the same time, and returns when all are done.
  package func run(_ count: Int, _ tile: @escaping @Sendable (Int) -> Void) {
    guard let pool else {
      for index in 0..<count { tile(index) }
      return
    }
    pool.forEach(count, priority: .background) { index in
      tile(index)
      pool.yield()
    }
  }

  /// A boundary inside a long tile.
  package func yield() { pool?.yield() }
}
