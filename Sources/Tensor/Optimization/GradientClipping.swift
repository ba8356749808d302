/// Bounds the length of the gradient of all parameters together (Pascanu, Mikolov and Bengio 2013).
package enum GradientClipping {
  /// Scales the gradients of all tensors by one number, so that together they are no longer than `maximumNorm`; returns
  /// how long they were. A norm that is not finite scales nothing: the caller drops the step.
  @specialized(where Scalar == Float)
  package static func clip<Scalar: KernelScalar>(_ gradients: inout [[Scalar]], maximumNorm: Double) -> Double {
    let norm = gradients.reduce(0) { $0 + squaredNorm($1) }.squareRoot()
    guard norm.isFinite, norm > maximumNorm else { return norm }
    let factor = Scalar(maximumNorm / norm)
    for tensor in gradients.indices {
      gradients[tensor].withUnsafeMutableBufferPointer { gradient in
        for index in gradient.indices { gradient[index] *= factor }
      }
    }
    return norm
  }

  /// The sum of squares, in double precision.
  @specialized(where Scalar == Float)
  package static func squaredNorm<Scalar: KernelScalar>(_ gradient: [Scalar]) -> Double {
    gradient.withUnsafeBufferPointer { $0.reduce(0) { $0 + Double($1) * Double($1) } }
  }
}
