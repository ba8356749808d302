/// Products through the C kernels, on the calling thread. Sides of zero give zeros.
extension Matrix where Scalar: KernelScalar {
  /// `[m, k]` times `[n, k]` transposed gives `[m, n]`: the order the kernels work in, no copy is made.
  @specialized(where Scalar == Float)
  package func timesTransposed(_ other: Matrix) -> Matrix {
    precondition(columns == other.columns, "a b^T needs rows of one length")
    var result = Matrix(rows: rows, columns: other.rows)
    guard columns > 0, !result.storage.isEmpty else { return result }
    Scalar.multiply(
      rows, other.rows, columns, alpha: 1, storage, columns, other.storage, columns, beta: 0, &result.storage,
      other.rows)
    return result
  }

  /// `[m, k]` times `[k, n]` gives `[m, n]`; `other` is copied once to transpose it.
  @specialized(where Scalar == Float)
  package func times(_ other: Matrix) -> Matrix {
    timesTransposed(other.transposed())
  }

  /// `[k, m]` transposed times `[k, n]` gives `[m, n]`; both are copied once to transpose them.
  @specialized(where Scalar == Float)
  package func transposedTimes(_ other: Matrix) -> Matrix {
    transposed().timesTransposed(other.transposed())
  }
}
