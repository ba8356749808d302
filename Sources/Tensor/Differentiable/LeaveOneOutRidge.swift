/// A kernel `[n, n]` and targets `[n, classes]` to scores `[n, classes]`: what kernel ridge regression fitted without
/// example i predicts for example i, in closed form: scores = Y - (A Y) / diag(A) with A = (K + lambda I)^-1
/// (Rasmussen and Williams 2006, equation 5.12).
///
/// The targets, usually -1 and +1, are constants here. 8/3 n^3 operations forward and 2 n^3 backward, n^2 memory.
package enum LeaveOneOutRidge {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// A, `[n, n]`, symmetric.
    package let inverse: Matrix<Scalar>
    /// A Y, `[n, classes]`: the dual coefficients of the fit to all examples.
    package let coefficients: Matrix<Scalar>
  }

  /// Reads the kernel's lower triangle. Nil when K + lambda I is not positive definite in this precision.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    kernel: Matrix<Scalar>, targets: Matrix<Scalar>, lambda: Scalar, tiles: TileRunner = TileRunner(pool: nil)
  ) -> (scores: Matrix<Scalar>, saved: Saved<Scalar>)? {
    precondition(kernel.rows == kernel.columns && kernel.rows == targets.rows, "one kernel row an example")
    guard let inverse = inverse(of: kernel, plus: lambda, tiles: tiles) else { return nil }
    let coefficients = inverse.times(targets)
    var scores = targets
    scores.storage.withUnsafeMutableBufferPointer { scores in
      coefficients.storage.withUnsafeBufferPointer { coefficients in
        for row in 0..<targets.rows {
          let diagonal = inverse[row, row]
          for index in row * targets.columns..<(row + 1) * targets.columns {
            scores[index] -= coefficients[index] / diagonal
          }
        }
      }
    }
    return (scores, Saved(inverse: inverse, coefficients: coefficients))
  }

  /// dK, symmetric: the loss moves by `sum_ij dK_ij E_ij` for a small symmetric change E of the kernel. Its trace is the
  /// derivative by lambda.
  ///
  /// With a = A Y and g = dscores, the loss moves with a by da_i = -g_i / A_ii and with A_ii by
  /// d_i = (g_i . a_i) / A_ii^2. As A moves by -A E A: dK = -(A da) a^T, made symmetric, - A diag(d) A.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, saved: Saved<Scalar>
  ) -> Matrix<Scalar> {
    let (inverse, coefficients) = (saved.inverse, saved.coefficients)
    let (n, classes) = (gradient.rows, gradient.columns)
    var coefficientGradient = gradient
    var scaledInverse = inverse
    for row in 0..<n {
      let diagonal = inverse[row, row]
      var diagonalGradient: Scalar = 0
      for index in row * classes..<(row + 1) * classes {
        diagonalGradient += gradient.storage[index] * coefficients.storage[index]
        coefficientGradient.storage[index] /= -diagonal
      }
      diagonalGradient /= diagonal * diagonal
      scaledInverse.storage.withUnsafeMutableBufferPointer { scaled in
        for index in row * n..<(row + 1) * n { scaled[index] *= diagonalGradient }
      }
    }
    let outer = inverse.times(coefficientGradient).timesTransposed(coefficients)
    // A is symmetric: (diag(d) A)^T A^T = A diag(d) A.
    var result = scaledInverse.transposed().timesTransposed(inverse)
    result.storage.withUnsafeMutableBufferPointer { dK in
      outer.storage.withUnsafeBufferPointer { outer in
        for row in 0..<n {
          for column in 0...row {
            let (lower, upper) = (row * n + column, column * n + row)
            let value = -(dK[lower] + dK[upper] + outer[lower] + outer[upper]) / 2
            dK[lower] = value
            dK[upper] = value
          }
        }
      }
    }
    return result
  }

  /// (K + lambda I)^-1 = U U^T with U = L^-T from the Cholesky factor, `[n, n]`.
  @specialized(where Scalar == Float)
  package static func inverse<Scalar: KernelScalar>(
    of kernel: Matrix<Scalar>, plus lambda: Scalar, tiles: TileRunner
  ) -> Matrix<Scalar>? {
    let n = kernel.rows
    guard n > 0 else { return kernel }
    let factor = CholeskyFactor<Scalar>(order: n, furtherRows: 0, tiles: tiles)
    kernel.storage.withUnsafeBufferPointer { kernel in
      for row in 0..<n {
        let target = factor.row(row)
        for column in 0...row { target[column] = kernel[row * n + column] }
        target[row] += lambda
      }
    }
    guard factor.factor() else { return nil }
    var upper = Matrix<Scalar>(rows: n, columns: n)
    upper.storage.withUnsafeMutableBufferPointer { factor.inverseRows(0..<n, into: $0.baseAddress!, stride: n) }
    return upper.timesTransposed(upper)
  }
}
