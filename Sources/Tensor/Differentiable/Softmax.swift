/// `[rows, classes]` to probabilities of the same shape, row by row: p = exp(x) / sum(exp(x)), less the row's maximum so
/// that nothing overflows.
package enum Softmax {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    var output = x
    output.storage.withUnsafeMutableBufferPointer { elements in
      for row in 0..<x.rows {
        let p = UnsafeMutableBufferPointer(rebasing: elements[row * x.columns..<(row + 1) * x.columns])
        let maximum = p.max() ?? 0
        var sum: Scalar = 0
        for column in p.indices {
          p[column] = Scalar.exponential(p[column] - maximum)
          sum += p[column]
        }
        for column in p.indices { p[column] /= sum }
      }
    }
    return output
  }

  /// dx = p (dp - sum(dp p)).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, output: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    precondition(gradient.columns == output.columns && gradient.rows == output.rows, "the gradient has p's shape")
    var result = gradient
    result.storage.withUnsafeMutableBufferPointer { dx in
      output.storage.withUnsafeBufferPointer { p in
        for row in 0..<output.rows {
          let columns = row * output.columns..<(row + 1) * output.columns
          var mean: Scalar = 0
          for index in columns { mean += dx[index] * p[index] }
          for index in columns { dx[index] = p[index] * (dx[index] - mean) }
        }
      }
    }
    return result
  }
}

/// `[rows, classes]` to logarithms of probabilities, row by row: l = x - log(sum(exp(x))).
package enum LogSoftmax {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    var output = x
    output.storage.withUnsafeMutableBufferPointer { elements in
      for row in 0..<x.rows {
        let l = UnsafeMutableBufferPointer(rebasing: elements[row * x.columns..<(row + 1) * x.columns])
        let maximum = l.max() ?? 0
        var sum: Scalar = 0
        for column in l.indices { sum += Scalar.exponential(l[column] - maximum) }
        let shift = maximum + Scalar.logarithm(sum)
        for column in l.indices { l[column] -= shift }
      }
    }
    return output
  }

  /// dx = dl - exp(l) sum(dl).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, output: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    precondition(gradient.columns == output.columns && gradient.rows == output.rows, "the gradient has l's shape")
    var result = gradient
    result.storage.withUnsafeMutableBufferPointer { dx in
      output.storage.withUnsafeBufferPointer { l in
        for row in 0..<output.rows {
          let columns = row * output.columns..<(row + 1) * output.columns
          var sum: Scalar = 0
          for index in columns { sum += dx[index] }
          for index in columns { dx[index] -= Scalar.exponential(l[index]) * sum }
        }
      }
    }
    return result
  }
}
