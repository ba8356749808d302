internal import Tensor

extension Matrix {
  /// Matrices of as many rows next to each other: the slices of several tasks as one.
  static func sideBySide(_ parts: [Matrix]) -> Matrix {
    guard parts.count != 1 else { return parts[0] }
    let width = parts.reduce(0) { $0 + $1.columns }
    let rows = parts.first?.rows ?? 0
    var result = Matrix(rows: rows, columns: width)
    result.storage.withUnsafeMutableBufferPointer { target in
      var first = 0
      for part in parts {
        precondition(part.rows == rows, "slices have the same rows")
        part.storage.withUnsafeBufferPointer { source in
          for row in 0..<rows {
            for column in 0..<part.columns {
              target[row * width + first + column] = source[row * part.columns + column]
            }
          }
        }
        first += part.columns
      }
    }
    return result
  }

  /// Adds another one of the same shape.
  mutating func add(_ other: Matrix) {
    precondition(rows == other.rows && columns == other.columns, "sums need one shape")
    storage.withUnsafeMutableBufferPointer { sum in
      other.storage.withUnsafeBufferPointer { other in
        for index in sum.indices { sum[index] += other[index] }
      }
    }
  }

  /// Every `step`-th row, from the first.
  func everyRow(_ step: Int) -> Matrix { selectingRows(stride(from: 0, to: rows, by: step)) }
}
