/// Products through the C kernels, on the calling thread. Sides of zero give zeros.
extension Matrix where Scalar: KernelScalar {
  /// `[m, k]` times `[n, k]` transposed gives `[m, n]`.
  @specialized(where Scalar == Float)
  package func timesTransposed(_ other: Matrix) -> Matrix {
    precondition(columns == other.columns, "a b^T needs rows of one length")
    return product(.rowsRows, other, rows, other.rows, columns)
  }

  /// `[m, k]` times `[k, n]` gives `[m, n]`.
  @specialized(where Scalar == Float)
  package func times(_ other: Matrix) -> Matrix {
    precondition(columns == other.rows, "a b needs a row of b a column of a")
    return product(.rowsColumns, other, rows, other.columns, columns)
  }

  /// `[k, m]` transposed times `[k, n]` gives `[m, n]`.
  @specialized(where Scalar == Float)
  package func transposedTimes(_ other: Matrix) -> Matrix {
    precondition(rows == other.rows, "a^T b needs as many rows of a as of b")
    return product(.columnsColumns, other, columns, other.columns, rows)
  }

  private func product(_ order: ProductOrder, _ other: Matrix, _ m: Int, _ n: Int, _ k: Int) -> Matrix {
    var result = Matrix(rows: m, columns: n)
    guard k > 0, !result.storage.isEmpty else { return result }
    Scalar.multiply(
      order, m, n, k, alpha: 1, storage, columns, other.storage, other.columns, beta: 0, &result.storage, n)
    return result
  }
}
