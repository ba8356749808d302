/// Any shape to the same: x Phi(x) with the normal distribution function by `erf`, not its approximation by `tanh`
/// (Hendrycks and Gimpel 2016).
package enum GELU {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    var output = x
    let count = x.storage.count
    output.storage.withUnsafeMutableBufferPointer { if count > 0 { Scalar.applyGELU(count, $0.baseAddress!) } }
    return output
  }

  /// dx = dy (Phi(x) + x phi(x)).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, input: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    precondition(gradient.rows == input.rows && gradient.columns == input.columns, "the gradient has x's shape")
    var result = gradient
    let count = input.storage.count
    result.storage.withUnsafeMutableBufferPointer {
      if count > 0 { Scalar.applyGELUBackward(count, input.storage, $0.baseAddress!) }
    }
    return result
  }
}

/// Any shape to the same: x sigmoid(1.702 x) (Hendrycks and Gimpel 2016, section 2), CLIP's activation.
package enum QuickGELU {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    x.mapElements { $0 * gate($0) }
  }

  /// dx = dy (s + 1.702 x s (1 - s)).
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, input: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    let slope = Scalar(1.702)
    return gradient.mapElements(with: input) { dy, x in
      let s = gate(x)
      return dy * s * (1 + slope * x * (1 - s))
    }
  }

  private static func gate<Scalar: KernelScalar>(_ x: Scalar) -> Scalar {
    1 / (1 + Scalar.exponential(Scalar(-1.702) * x))
  }
}

/// Any shape to the same: max(x, 0); the slope at 0 is 0.
package enum ReLU {
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
    x.mapElements { $0 > 0 ? $0 : 0 }
  }

  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, input: Matrix<Scalar>
  ) -> Matrix<Scalar> {
    gradient.mapElements(with: input) { dy, x in x > 0 ? dy : 0 }
  }
}
