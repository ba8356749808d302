/// Memory that tiles running on several threads write at once, 64-byte aligned, freed with its owner.
///
/// Nothing here checks bounds or keeps two writers apart: a job hands each tile its own part. Scalars start undefined.
package final class TileMemory<Scalar: BinaryFloatingPoint & Sendable>: @unchecked Sendable {
  package let count: Int
  package let base: UnsafeMutablePointer<Scalar>

  package init(count: Int) {
    self.count = count
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count) * MemoryLayout<Scalar>.stride, alignment: 64)
    base = bytes.bindMemory(to: Scalar.self, capacity: max(1, count))
  }

  deinit { UnsafeMutableRawPointer(base).deallocate() }

  /// A row-major matrix's row length for `columns` scalars: whole cache lines, and never a multiple of 4 KiB, which
  /// would put a column's elements all in one cache set.
  package static func stride(columns: Int) -> Int {
    let line = 64 / MemoryLayout<Scalar>.stride
    let lines = (columns + line - 1) / line
    return (lines.isMultiple(of: 16) ? lines + 1 : lines) * line
  }
}
