/// `[rows, width]` to logits `[rows, classes]`: scale cos(x, w_c) with a weight row a class, W `[classes, width]`
/// (Gidaris and Komodakis 2018; Hou et al. 2019 for learning classes one after another). Rows of zeros have cosine 0.
package enum CosineHead {
  package struct Saved<Scalar: KernelScalar>: Sendable {
    package let units: UnitLength.Saved<Scalar>
    package let weightUnits: UnitLength.Saved<Scalar>
    /// cos(x, w_c), `[rows, classes]`.
    package let cosines: Matrix<Scalar>
  }

  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, weights: Matrix<Scalar>, scale: Scalar
  ) -> (logits: Matrix<Scalar>, saved: Saved<Scalar>) {
    let (units, unitsSaved) = UnitLength.forward(x)
    let (weightUnits, weightUnitsSaved) = UnitLength.forward(weights)
    let cosines = units.timesTransposed(weightUnits)
    return (
      cosines.mapElements { scale * $0 },
      Saved(units: unitsSaved, weightUnits: weightUnitsSaved, cosines: cosines)
    )
  }

  /// Through the cosines c = u v^T of unit rows: du = scale dlogits v, dv = scale dlogits^T u, dscale = sum(dlogits c).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, saved: Saved<Scalar>, scale: Scalar
  ) -> (input: Matrix<Scalar>, weights: Matrix<Scalar>, scale: Scalar) {
    let cosineGradient = gradient.mapElements { scale * $0 }
    let input = UnitLength.backward(cosineGradient.times(saved.weightUnits.output), saved: saved.units)
    let weights = UnitLength.backward(cosineGradient.transposedTimes(saved.units.output), saved: saved.weightUnits)
    let products = gradient.mapElements(with: saved.cosines) { $0 * $1 }
    return (input, weights, products.storage.reduce(0, +))
  }
}
