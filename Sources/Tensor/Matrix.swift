/// A row-major `[rows, columns]` matrix in one allocation, with value semantics.
///
/// Use it to hand data between parts of the program. Hot loops take its storage once, by
/// `storage.withUnsafeBufferPointer`, and do not subscript element by element.
package struct Matrix<Scalar: BinaryFloatingPoint & Sendable>: Sendable {
  package let rows: Int
  package let columns: Int
  /// `rows * columns` numbers, row after row.
  package var storage: [Scalar]

  /// A matrix filled with one number. `rows` and `columns` are not negative.
  @inlinable
  package init(rows: Int, columns: Int, repeating value: Scalar = 0) {
    precondition(rows >= 0 && columns >= 0, "a matrix has no negative side")
    self.rows = rows
    self.columns = columns
    self.storage = [Scalar](repeating: value, count: rows * columns)
  }

  /// A matrix over numbers that exist already; `storage.count` is `rows * columns`.
  @inlinable
  package init(rows: Int, columns: Int, storage: [Scalar]) {
    precondition(rows >= 0 && columns >= 0, "a matrix has no negative side")
    precondition(storage.count == rows * columns, "a matrix's storage has rows * columns numbers")
    self.rows = rows
    self.columns = columns
    self.storage = storage
  }

  /// A matrix of rows of one length. No rows give a `[0, 0]` matrix.
  @inlinable
  package init(_ rows: [[Scalar]]) {
    self.init(rows: rows.count, columns: rows.first?.count ?? 0, storage: rows.flatMap { $0 })
  }

  @inlinable
  package subscript(row: Int, column: Int) -> Scalar {
    get { storage[row * columns + column] }
    set { storage[row * columns + column] = newValue }
  }

  /// One row, without copying it.
  @inlinable
  package func row(_ index: Int) -> ArraySlice<Scalar> {
    storage[index * columns..<(index + 1) * columns]
  }

  /// The column of a row's largest number, the first of equals.
  @inlinable
  package func columnOfLargest(inRow index: Int) -> Int {
    let numbers = row(index)
    var best = numbers.startIndex
    for candidate in numbers.indices where numbers[candidate] > numbers[best] { best = candidate }
    return best - numbers.startIndex
  }

  /// The rows at `indices`, in that order; an index may come twice.
  @inlinable
  package func selectingRows(_ indices: some Sequence<Int>) -> Matrix {
    var selected: [Scalar] = []
    var count = 0
    for index in indices {
      selected.append(contentsOf: row(index))
      count += 1
    }
    return Matrix(rows: count, columns: columns, storage: selected)
  }

  /// The columns in `ranges` side by side.
  @inlinable
  package func selectingColumns(_ ranges: [Range<Int>]) -> Matrix {
    var selected: [Scalar] = []
    selected.reserveCapacity(rows * ranges.reduce(0) { $0 + $1.count })
    for row in 0..<rows {
      for range in ranges {
        selected.append(contentsOf: storage[row * columns + range.lowerBound..<row * columns + range.upperBound])
      }
    }
    return Matrix(rows: rows, columns: ranges.reduce(0) { $0 + $1.count }, storage: selected)
  }

  /// The matrix with rows and columns exchanged.
  @inlinable
  package func transposed() -> Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for row in 0..<rows {
      for column in 0..<columns {
        result.storage[column * rows + row] = storage[row * columns + column]
      }
    }
    return result
  }
}

extension Matrix: Equatable {}
