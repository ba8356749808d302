/// `[rows, width]` to `[rows, width]`: y = gain (x - mean) / sqrt(variance + epsilon) + bias, each row with its own
/// mean and (biased) variance, gain and bias `[width]` (Ba, Kiros and Hinton 2016; the backward pass as in llm.c).
package enum LayerNormalization {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// x, `[rows, width]`: normalizing it again is cheaper than keeping what came of it.
    let input: Matrix<Scalar>
    let epsilon: Scalar
  }

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, gain: [Scalar], bias: [Scalar], epsilon: Scalar
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    (normalized(x, gain: gain, bias: bias, epsilon: epsilon), Saved(input: x, epsilon: epsilon))
  }

  /// With n the normalized row and h = gain dy: dx = (h - mean(h) - n mean(h n)) / deviation, dgain = sum(dy n),
  /// dbias = sum(dy).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, saved: Saved<Scalar>, gain: [Scalar]
  ) -> (input: Matrix<Scalar>, gain: [Scalar], bias: [Scalar]) {
    let (rows, width) = (gradient.rows, gradient.columns)
    var input = Matrix<Scalar>(rows: rows, columns: width)
    if !input.storage.isEmpty {
      Scalar.normalizeRowsBackward(
        rows, width, saved.input.storage, gain: gain, epsilon: saved.epsilon, gradient.storage,
        addingTo: &input.storage)
    }
    let normalized = normalized(
      saved.input, gain: [Scalar](repeating: 1, count: width), bias: [Scalar](repeating: 0, count: width),
      epsilon: saved.epsilon)
    return (input, gradient.mapElements(with: normalized) { $0 * $1 }.columnSums(), gradient.columnSums())
  }

  private static func normalized<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, gain: [Scalar], bias: [Scalar], epsilon: Scalar
  ) -> Matrix<Scalar> {
    precondition(gain.count == x.columns && bias.count == x.columns, "a gain and a bias a column")
    var output = Matrix<Scalar>(rows: x.rows, columns: x.columns)
    guard !output.storage.isEmpty else { return output }
    Scalar.normalizeRows(
      x.rows, x.columns, x.storage, gain: gain, bias: bias, epsilon: epsilon, &output.storage)
    return output
  }
}
