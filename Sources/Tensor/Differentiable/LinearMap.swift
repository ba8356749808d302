/// `[rows, inputs]` to `[rows, outputs]`: y = x W^T + b with W `[outputs, inputs]` and b `[outputs]`.
package enum LinearMap {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, weights: Matrix<Scalar>, bias: [Scalar]
  ) -> Matrix<Scalar> {
    precondition(bias.count == weights.rows, "a bias an output")
    var output = x.timesTransposed(weights)
    output.storage.withUnsafeMutableBufferPointer { y in
      bias.withUnsafeBufferPointer { bias in
        for row in 0..<x.rows {
          for column in bias.indices { y[row * bias.count + column] += bias[column] }
        }
      }
    }
    return output
  }

  /// dx = dy W, dW = dy^T x, db = the column sums of dy.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, input: Matrix<Scalar>, weights: Matrix<Scalar>
  ) -> (input: Matrix<Scalar>, weights: Matrix<Scalar>, bias: [Scalar]) {
    (gradient.times(weights), gradient.transposedTimes(input), gradient.columnSums())
  }
}
