/// Queries `[n, width]`, keys and values `[m, width]` to `[n, width]`: in every head, `width / heads` columns wide, a
/// query's output is the mean of the values weighted by softmax(q . k / sqrt(head width)) over the keys it sees
/// (Vaswani et al. 2017, equation 1). The projections around it are `LinearMap`s.
///
/// A query that sees no key gets zeros. Memory is heads * n * m.
package enum MultiHeadAttention {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// The weights of every head, `[n, m]` each, 0 where a query does not see a key.
    package let probabilities: [Matrix<Scalar>]
  }

  /// `isVisible` says whether a query sees a key; without it, every query sees all.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    queries: Matrix<Scalar>, keys: Matrix<Scalar>, values: Matrix<Scalar>, heads: Int,
    isVisible: ((_ query: Int, _ key: Int) -> Bool)? = nil
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let (n, m, width) = (queries.rows, keys.rows, queries.columns)
    precondition(heads > 0 && width.isMultiple(of: heads), "heads of one width")
    precondition(keys.columns == width && values.columns == width && values.rows == m, "one value a key, one width")
    let headWidth = width / heads
    var output = Matrix<Scalar>(rows: n, columns: width)
    guard n > 0, m > 0, width > 0 else {
      return (output, Saved(probabilities: [Matrix](repeating: Matrix(rows: n, columns: m), count: heads)))
    }
    let visible = isVisible.map { isVisible in (0..<n * m).map { isVisible($0 / m, $0 % m) } }
    let valuesByColumn = values.transposed()
    let scale = 1 / Scalar(headWidth).squareRoot()
    var probabilities: [Matrix<Scalar>] = []
    for head in 0..<heads {
      let first = head * headWidth
      var logits = columns(queries, keys, first, headWidth, scale: scale)
      if let visible {
        for index in visible.indices where !visible[index] { logits.storage[index] = -.infinity }
      }
      let weights = visibleSoftmax(logits)
      write(weights, valuesByColumn, first, headWidth, scale: 1, to: &output)
      probabilities.append(weights)
    }
    return (output, Saved(probabilities: probabilities))
  }

  /// With P a head's weights and S their logits: dV = P^T dy, dP = dy V^T, dS = P (dP - rowsum(dP P)), dQ = scale dS K,
  /// dK = scale dS^T Q. Where a query does not see a key P is 0, and so is dS.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, queries: Matrix<Scalar>, keys: Matrix<Scalar>, values: Matrix<Scalar>,
    saved: Saved<Scalar>
  ) -> (queries: Matrix<Scalar>, keys: Matrix<Scalar>, values: Matrix<Scalar>) {
    let (n, m, width) = (queries.rows, keys.rows, queries.columns)
    var queryGradient = Matrix<Scalar>(rows: n, columns: width)
    var keyGradient = Matrix<Scalar>(rows: m, columns: width)
    var valueGradient = Matrix<Scalar>(rows: m, columns: width)
    guard n > 0, m > 0, width > 0 else { return (queryGradient, keyGradient, valueGradient) }
    let headWidth = width / saved.probabilities.count
    let scale = 1 / Scalar(headWidth).squareRoot()
    let (queriesByColumn, keysByColumn) = (queries.transposed(), keys.transposed())
    let gradientByColumn = gradient.transposed()
    for (head, weights) in saved.probabilities.enumerated() {
      let first = head * headWidth
      let weightGradient = columns(gradient, values, first, headWidth, scale: 1)
      let logitGradient = Softmax.backward(weightGradient, output: weights)
      write(weights.transposed(), gradientByColumn, first, headWidth, scale: 1, to: &valueGradient)
      write(logitGradient, keysByColumn, first, headWidth, scale: scale, to: &queryGradient)
      write(logitGradient.transposed(), queriesByColumn, first, headWidth, scale: scale, to: &keyGradient)
    }
    return (queryGradient, keyGradient, valueGradient)
  }

  /// scale a b^T over the columns of one head.
  private static func columns<Scalar: KernelScalar>(
    _ a: Matrix<Scalar>, _ b: Matrix<Scalar>, _ first: Int, _ count: Int, scale: Scalar
  ) -> Matrix<Scalar> {
    var product = Matrix<Scalar>(rows: a.rows, columns: b.rows)
    a.storage.withUnsafeBufferPointer { left in
      b.storage.withUnsafeBufferPointer { right in
        Scalar.multiply(
          a.rows, b.rows, count, alpha: scale, left.baseAddress! + first, a.columns, right.baseAddress! + first,
          b.columns, beta: 0, &product.storage, b.rows)
      }
    }
    return product
  }

  /// Writes scale a b into the columns of one head, b given by its columns.
  private static func write<Scalar: KernelScalar>(
    _ a: Matrix<Scalar>, _ byColumn: Matrix<Scalar>, _ first: Int, _ count: Int, scale: Scalar,
    to target: inout Matrix<Scalar>
  ) {
    let stride = target.columns
    target.storage.withUnsafeMutableBufferPointer { target in
      byColumn.storage.withUnsafeBufferPointer { right in
        Scalar.multiply(
          a.rows, count, a.columns, alpha: scale, a.storage, a.columns, right.baseAddress! + first * byColumn.columns,
          byColumn.columns, beta: 0, target.baseAddress! + first, stride)
      }
    }
  }

  /// `Softmax`, but a row that is -infinity throughout becomes zeros.
  private static func visibleSoftmax<Scalar: KernelScalar>(_ logits: Matrix<Scalar>) -> Matrix<Scalar> {
    var result = Softmax.forward(logits)
    for row in 0..<result.rows where logits.row(row).allSatisfy({ $0 == -.infinity }) {
      for column in 0..<result.columns { result[row, column] = 0 }
    }
    return result
  }
}
