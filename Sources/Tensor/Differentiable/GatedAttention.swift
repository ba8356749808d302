/// Self-attention that starts out local: in every head, a query's weights over the keys of its image are
/// (1 - sigmoid(g)) softmax(q . k / sqrt(head width)) + sigmoid(g) softmax(w . r), g the head's gate, w its position
/// weights and r what is known of where the key lies from the query (ConViT, d'Ascoli et al. 2021, equations 6 and 7).
///
/// Two weightings that each sum to 1 are mixed, so the division by the sum in the authors' code changes nothing, and is
/// left out. Without positions this is plain attention, image by image. Images follow each other in the rows.
package enum GatedAttention {
  /// What is attended to, or the gradient of it. Every image has as many queries, and as many keys, as any other.
  package struct Inputs<Scalar: KernelScalar>: Sendable {
    /// `[images * queries, heads * head width]`.
    package var queries: Matrix<Scalar>
    /// `[images * keys, heads * head width]`, as are the values.
    package var keys: Matrix<Scalar>
    package var values: Matrix<Scalar>
    /// Keys that every head reads besides its own, with no position: `[images * further, head width]`, as their values.
    package var further: (keys: Matrix<Scalar>, values: Matrix<Scalar>)?

    package init(
      queries: Matrix<Scalar>, keys: Matrix<Scalar>, values: Matrix<Scalar>,
      further: (keys: Matrix<Scalar>, values: Matrix<Scalar>)? = nil
    ) {
      self.queries = queries
      self.keys = keys
      self.values = values
      self.further = further
    }
  }

  /// How a head looks at positions, or the gradient of it.
  package struct Positions<Scalar: KernelScalar>: Sendable {
    /// `[heads, numbers known of a pair]`.
    package var weights: Matrix<Scalar>
    /// g, `[heads]`.
    package var gates: [Scalar]

    package init(weights: Matrix<Scalar>, gates: [Scalar]) {
      self.weights = weights
      self.gates = gates
    }
  }

  /// What a forward pass leaves for the way back.
  package struct Saved<Scalar: KernelScalar>: Sendable {
    /// softmax(q . k), `[images * heads * queries, keys + further]`.
    let content: Matrix<Scalar>
    /// softmax(w . r), `[heads * queries, keys]`.
    let local: Matrix<Scalar>?
    /// What the values are weighted with, of the content's shape.
    package let weights: Matrix<Scalar>
  }

  /// - Parameter pairs: r for every query and key of an image, `[queries * keys, numbers]`; needed with positions.
  @specialized(where Scalar == Float)
  package static func forward<Scalar: KernelScalar>(
    _ inputs: Inputs<Scalar>, images: Int, heads: Int, positions: Positions<Scalar>? = nil,
    pairs: Matrix<Scalar>? = nil
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let shape = AttentionShape(inputs, images: images, heads: heads)
    let content = Softmax.forward(
      shape.logits(inputs.queries, inputs.keys, inputs.further?.keys, scale: shape.scale()))
    guard let positions, let pairs else {
      let output = shape.weighted(content, inputs.values, inputs.further?.values, scale: 1)
      return (output, Saved(content: content, local: nil, weights: content))
    }
    precondition(
      positions.gates.count == heads && positions.weights.rows == heads && pairs.rows == shape.queries * shape.keys,
      "a gate and weights a head, numbers for every pair")
    let known = positions.weights.timesTransposed(pairs)
    let local = Softmax.forward(
      Matrix(rows: heads * shape.queries, columns: shape.keys, storage: known.storage))
    let weights = shape.mixed(content, local, shares: positions.gates.map(sigmoid))
    let output = shape.weighted(weights, inputs.values, inputs.further?.values, scale: 1)
    return (output, Saved(content: content, local: local, weights: weights))
  }

  /// With A the weights, C and L their two parts and s = sigmoid(g): dV = A^T dy, dA = dy V^T, dC = (1 - s) dA,
  /// dL = s dA, dg = s (1 - s) sum(dA (L - C)); from there as attention and softmax pass back.
  @specialized(where Scalar == Float)
  package static func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, inputs: Inputs<Scalar>, images: Int, heads: Int,
    positions: Positions<Scalar>? = nil, pairs: Matrix<Scalar>? = nil, saved: Saved<Scalar>
  ) -> (inputs: Inputs<Scalar>, positions: Positions<Scalar>?) {
    let shape = AttentionShape(inputs, images: images, heads: heads)
    let (values, furtherValues) = shape.gathered(saved.weights, gradient, scale: 1)
    var weightGradient = shape.logits(gradient, inputs.values, inputs.further?.values, scale: 1)
    var positionGradient: Positions<Scalar>?
    if let positions, let pairs, let local = saved.local {
      let shares = positions.gates.map(sigmoid)
      let parts = shape.unmixed(&weightGradient, content: saved.content, local: local, shares: shares)
      let known = Softmax.backward(parts.local, output: local)
      positionGradient = Positions(
        weights: Matrix(rows: heads, columns: pairs.rows, storage: known.storage).times(pairs),
        gates: zip(parts.shares, shares).map { $0 * $1 * (1 - $1) })
    }
    let logitGradient = Softmax.backward(weightGradient, output: saved.content)
    let queries = shape.weighted(logitGradient, inputs.keys, inputs.further?.keys, scale: shape.scale())
    let (keys, furtherKeys) = shape.gathered(logitGradient, inputs.queries, scale: shape.scale())
    let further = furtherKeys.flatMap { keys in furtherValues.map { (keys: keys, values: $0) } }
    return (Inputs(queries: queries, keys: keys, values: values, further: further), positionGradient)
  }

  private static func sigmoid<Scalar: KernelScalar>(_ x: Scalar) -> Scalar { 1 / (1 + Scalar.exponential(-x)) }
}
