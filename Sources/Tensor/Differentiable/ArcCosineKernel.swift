/// `[rows, columns]` of cosines u to kernel values of the same shape: the arc-cosine kernel of order 1,
/// k = (sin t + (pi - t) cos t) / pi with t = acos(u) (Cho and Saul 2009, equations 3 and 6, on unit vectors).
///
/// Cosines are clamped to [-1, 1], past which only rounding leads. `arcCosineKernel` is the fast twin in place.
package enum ArcCosineKernel {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ cosines: Matrix<Scalar>) -> Matrix<Scalar> {
    cosines.mapElements { cosine in
      let u = min(max(cosine, -1), 1)
      return (((1 - u) * (1 + u)).squareRoot() + (Scalar.pi - Scalar.arcCosine(u)) * u) / Scalar.pi
    }
  }

  /// dk/du = (pi - t) / pi. A clamped cosine has the slope at its end, 1 or 0: a diagonal that rounding put above 1
  /// does not lose its gradient.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, cosines: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    gradient.mapElements(with: cosines) { dk, cosine in
      dk * (Scalar.pi - Scalar.arcCosine(min(max(cosine, -1), 1))) / Scalar.pi
    }
  }
}
