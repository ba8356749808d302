internal import Tensor

/// The two layers that mix a token's features, GELU between them: task attention over all slices (DNE), or,
/// where a slice reads none but itself, two linear maps. The hidden numbers lie head after head, as the inputs do.
struct FeatureMixing: Sendable {
  let name: String
  /// 0 where older slices are not read.
  let oldHeads: Int
  let newHeads: Int
  let headWidth: Int
  let hiddenWidth: Int

  /// What older slices put into the two layers, `[rows, oldHeads * width]`.
  struct Old<Scalar: KernelScalar> {
    let input: Matrix<Scalar>
    let hidden: Matrix<Scalar>
  }

  struct Saved<Scalar: KernelScalar> {
    let input: Matrix<Scalar>
    let beforeActivation: Matrix<Scalar>
    /// After the activation, which later slices read.
    let hidden: Matrix<Scalar>
    fileprivate let attention: (TaskAttention.Saved<Scalar>, TaskAttention.Saved<Scalar>)?
  }

  private struct Layer {
    let name: String
    let inputWidth: Int
    let outputWidth: Int
  }

  private var layers: (Layer, Layer) {
    (
      Layer(name: name + ".first", inputWidth: headWidth, outputWidth: hiddenWidth),
      Layer(name: name + ".second", inputWidth: hiddenWidth, outputWidth: headWidth)
    )
  }

  private var isDense: Bool { oldHeads > 0 }

  func declare(in layout: inout ParameterLayout) {
    for layer in [layers.0, layers.1] {
      if isDense {
        layout.append(layer.name + ".query", layer.inputWidth, layer.inputWidth)
        layout.append(layer.name + ".key", layer.inputWidth, layer.inputWidth)
        layout.append(layer.name + ".values", layer.outputWidth, (oldHeads + newHeads) * layer.inputWidth)
        layout.append(layer.name + ".biases", oldHeads + newHeads, layer.outputWidth)
        layout.append(layer.name + ".scale", 1, 1)
      } else {
        layout.append(layer.name + ".weights", newHeads * layer.outputWidth, newHeads * layer.inputWidth)
        layout.append(layer.name + ".biases", 1, newHeads * layer.outputWidth)
      }
    }
  }

  /// Weights keep a token's size: 1 / inputs is their variance, which for the values is that of the sum over all
  /// heads. The authors have 0.02 for all.
  func start<Scalar: KernelScalar>(
    _ parameters: inout ParameterVector<Scalar>, _ generator: inout SeededGenerator
  ) {
    for layer in [layers.0, layers.1] {
      if isDense {
        let inputs = Double((oldHeads + newHeads) * layer.inputWidth)
        parameters.fill(layer.name + ".query", deviation: 0.02, &generator)
        parameters.fill(layer.name + ".key", deviation: 0.02, &generator)
        parameters.fill(layer.name + ".values", deviation: 1 / inputs.squareRoot(), &generator)
        parameters.set(layer.name + ".scale", [Scalar(oldHeads)])
      } else {
        let inputs = Double(newHeads * layer.inputWidth)
        parameters.fill(layer.name + ".weights", deviation: 1 / inputs.squareRoot(), &generator)
      }
    }
  }

  /// x `[rows, newHeads * headWidth]` to the same shape.
  func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, old: Old<Scalar>?, _ parameters: ParameterVector<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let (first, second) = layers
    guard isDense, let old else {
      let before = LinearMap.forward(
        x, weights: parameters.matrix(first.name + ".weights"), bias: parameters.vector(first.name + ".biases"))
      let hidden = GELU.forward(before)
      let output = LinearMap.forward(
        hidden, weights: parameters.matrix(second.name + ".weights"), bias: parameters.vector(second.name + ".biases"))
      return (output, Saved(input: x, beforeActivation: before, hidden: hidden, attention: nil))
    }
    let (before, firstSaved) = TaskAttention.forward(
      old: old.input, new: x, parameters: attention(first, parameters))
    let hidden = GELU.forward(before)
    let (output, secondSaved) = TaskAttention.forward(
      old: old.hidden, new: hidden, parameters: attention(second, parameters))
    return (
      output, Saved(input: x, beforeActivation: before, hidden: hidden, attention: (firstSaved, secondSaved))
    )
  }

  /// The gradient of x; adds those of the parameters. Older slices get none.
  func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: Old<Scalar>?, _ parameters: ParameterVector<Scalar>, saved: Saved<Scalar>,
    into gradients: inout ParameterVector<Scalar>
  ) -> Matrix<Scalar> {
    let (first, second) = layers
    guard let old, let attentionSaved = saved.attention else {
      let back = LinearMap.backward(
        gradient, input: saved.hidden, weights: parameters.matrix(second.name + ".weights"))
      gradients.add(second.name + ".weights", back.weights.storage)
      gradients.add(second.name + ".biases", back.bias)
      let before = GELU.backward(back.input, input: saved.beforeActivation)
      let front = LinearMap.backward(before, input: saved.input, weights: parameters.matrix(first.name + ".weights"))
      gradients.add(first.name + ".weights", front.weights.storage)
      gradients.add(first.name + ".biases", front.bias)
      return front.input
    }
    let back = TaskAttention.backward(
      gradient, old: old.hidden, new: saved.hidden, parameters: attention(second, parameters),
      saved: attentionSaved.1)
    add(back.parameters, second, to: &gradients)
    let before = GELU.backward(back.new, input: saved.beforeActivation)
    let front = TaskAttention.backward(
      before, old: old.input, new: saved.input, parameters: attention(first, parameters), saved: attentionSaved.0)
    add(front.parameters, first, to: &gradients)
    return front.new
  }

  private func attention<Scalar: KernelScalar>(
    _ layer: Layer, _ parameters: ParameterVector<Scalar>
  ) -> TaskAttention.Parameters<Scalar> {
    .init(
      query: parameters.matrix(layer.name + ".query"), key: parameters.matrix(layer.name + ".key"),
      values: parameters.matrix(layer.name + ".values"), biases: parameters.matrix(layer.name + ".biases"),
      scale: parameters.vector(layer.name + ".scale")[0])
  }

  private func add<Scalar: KernelScalar>(
    _ gradient: TaskAttention.Parameters<Scalar>, _ layer: Layer, to gradients: inout ParameterVector<Scalar>
  ) {
    gradients.add(layer.name + ".query", gradient.query.storage)
    gradients.add(layer.name + ".key", gradient.key.storage)
    gradients.add(layer.name + ".values", gradient.values.storage)
    gradients.add(layer.name + ".biases", gradient.biases.storage)
    gradients.add(layer.name + ".scale", [gradient.scale])
  }
}
