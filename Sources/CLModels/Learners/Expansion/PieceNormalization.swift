internal import Tensor

/// A LayerNorm over one slice's own numbers, which is what keeps old features as they were.
struct PieceNormalization: Sendable {
  let name: String
  let width: Int

  func declare(in layout: inout ParameterLayout) {
    layout.append(name + ".gain", 1, width)
    layout.append(name + ".bias", 1, width)
  }

  func start<Scalar: KernelScalar>(_ parameters: inout ParameterVector<Scalar>) {
    parameters.set(name + ".gain", [Scalar](repeating: 1, count: width))
  }

  func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, _ parameters: ParameterVector<Scalar>
  ) -> (output: Matrix<Scalar>, saved: LayerNormalization.Saved<Scalar>) {
    LayerNormalization.forward(
      x, gain: parameters.vector(name + ".gain"), bias: parameters.vector(name + ".bias"),
      epsilon: Scalar(NetworkShape.epsilon))
  }

  /// The gradient of the input; adds those of gain and bias.
  func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, _ parameters: ParameterVector<Scalar>, saved: LayerNormalization.Saved<Scalar>,
    into gradients: inout ParameterVector<Scalar>
  ) -> Matrix<Scalar> {
    let back = LayerNormalization.backward(gradient, saved: saved, gain: parameters.vector(name + ".gain"))
    gradients.add(name + ".gain", back.gain)
    gradients.add(name + ".bias", back.bias)
    return back.input
  }
}
