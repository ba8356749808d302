internal import Tensor

/// The attention of one slice's heads over the slice's own tokens, with its projections: `[images * tokens, width]` to
/// `[images * queries, width]`. In the joint form every head also reads the older slices' heads at all tokens, by keys
/// and values made as task attention makes them: one map for all keys, one a head for values.
struct SliceAttention: Sendable {
  let name: String
  /// Heads of older slices that are read: 0 but in the joint form.
  let oldHeads: Int
  let heads: Int
  let headWidth: Int
  /// Whether heads are gated between content and positions.
  let hasPositions: Bool
  /// Whether only the first token of an image asks.
  let asksFirstOnly: Bool

  private var width: Int { heads * headWidth }

  struct Saved<Scalar: KernelScalar> {
    /// `[images * tokens, width]`.
    let input: Matrix<Scalar>
    fileprivate let asking: Matrix<Scalar>
    fileprivate let inputs: GatedAttention.Inputs<Scalar>
    fileprivate let attention: GatedAttention.Saved<Scalar>
    fileprivate let mixed: Matrix<Scalar>
  }

  func declare(in layout: inout ParameterLayout) {
    for part in [".query", ".key", ".value", ".projection"] { layout.append(name + part, width, width) }
    layout.append(name + ".projectionBias", 1, width)
    if hasPositions {
      layout.append(name + ".positions", heads, 3)
      layout.append(name + ".gates", 1, heads)
    }
    if oldHeads > 0 {
      layout.append(name + ".oldKey", headWidth, headWidth)
      layout.append(name + ".oldValues", oldHeads * headWidth, headWidth)
    }
  }

  /// As ConViT: values are passed on unchanged, gates at 1, and every head looks at a place near the token; ConViT's are on
  /// a grid, these are drawn, a patch away by deviation.
  func start<Scalar: KernelScalar>(
    _ parameters: inout ParameterVector<Scalar>, _ generator: inout SeededGenerator
  ) {
    parameters.fill(name + ".query", deviation: 0.02, &generator)
    parameters.fill(name + ".key", deviation: 0.02, &generator)
    var identity = Matrix<Scalar>(rows: width, columns: width)
    for index in 0..<width { identity[index, index] = 1 }
    parameters.set(name + ".value", identity.storage)
    parameters.fill(name + ".projection", deviation: 1 / Double(width).squareRoot(), &generator)
    if hasPositions {
      // Of a key at r: 2 c . r - |r|^2 is largest where r is c.
      let places = (0..<heads).flatMap { _ in
        [Scalar(2 * generator.nextGaussian()), Scalar(2 * generator.nextGaussian()), -1]
      }
      parameters.set(name + ".positions", places)
      parameters.set(name + ".gates", [Scalar](repeating: 1, count: heads))
    }
    if oldHeads > 0 {
      parameters.fill(name + ".oldKey", deviation: 0.02, &generator)
      parameters.fill(name + ".oldValues", deviation: 1 / Double(headWidth).squareRoot(), &generator)
    }
  }

  /// - Parameters:
  ///   - old: what older slices attend to, `[images * tokens, oldHeads * headWidth]`; read in the joint form.
  ///   - pairs: see `GatedAttention`.
  func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, old: Matrix<Scalar>?, images: Int, pairs: Matrix<Scalar>?,
    _ parameters: ParameterVector<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let asking = asksFirstOnly ? x.everyRow(x.rows / images) : x
    let inputs = GatedAttention.Inputs(
      queries: asking.timesTransposed(parameters.matrix(name + ".query")),
      keys: x.timesTransposed(parameters.matrix(name + ".key")),
      values: x.timesTransposed(parameters.matrix(name + ".value")), further: further(old, parameters))
    let (mixed, attention) = GatedAttention.forward(
      inputs, images: images, heads: heads, positions: positions(parameters), pairs: hasPositions ? pairs : nil)
    let output = LinearMap.forward(
      mixed, weights: parameters.matrix(name + ".projection"), bias: parameters.vector(name + ".projectionBias"))
    return (output, Saved(input: x, asking: asking, inputs: inputs, attention: attention, mixed: mixed))
  }

  /// The gradient of x; adds those of the parameters.
  func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: Matrix<Scalar>?, images: Int, pairs: Matrix<Scalar>?,
    _ parameters: ParameterVector<Scalar>, saved: Saved<Scalar>, into gradients: inout ParameterVector<Scalar>
  ) -> Matrix<Scalar> {
    let projected = LinearMap.backward(
      gradient, input: saved.mixed, weights: parameters.matrix(name + ".projection"))
    gradients.add(name + ".projection", projected.weights.storage)
    gradients.add(name + ".projectionBias", projected.bias)
    let back = GatedAttention.backward(
      projected.input, inputs: saved.inputs, images: images, heads: heads, positions: positions(parameters),
      pairs: hasPositions ? pairs : nil, saved: saved.attention)
    if let positions = back.positions {
      gradients.add(name + ".positions", positions.weights.storage)
      gradients.add(name + ".gates", positions.gates)
    }
    gradients.add(name + ".query", back.inputs.queries.transposedTimes(saved.asking).storage)
    gradients.add(name + ".key", back.inputs.keys.transposedTimes(saved.input).storage)
    gradients.add(name + ".value", back.inputs.values.transposedTimes(saved.input).storage)
    if let old, let further = back.inputs.further { add(further, old, to: &gradients) }
    var input = back.inputs.keys.times(parameters.matrix(name + ".key"))
    input.add(back.inputs.values.times(parameters.matrix(name + ".value")))
    let asked = back.inputs.queries.times(parameters.matrix(name + ".query"))
    guard asksFirstOnly else {
      input.add(asked)
      return input
    }
    let tokens = input.rows / images
    for image in 0..<images {
      for column in 0..<width { input[image * tokens, column] += asked[image, column] }
    }
    return input
  }

  private func positions<Scalar: KernelScalar>(
    _ parameters: ParameterVector<Scalar>
  ) -> GatedAttention.Positions<Scalar>? {
    guard hasPositions else { return nil }
    return .init(weights: parameters.matrix(name + ".positions"), gates: parameters.vector(name + ".gates"))
  }

  // MARK: The joint form

  /// Keys and values of older heads: a row of `old` holds a token's heads one after another, so it is `oldHeads` rows
  /// of one head's width.
  private func further<Scalar: KernelScalar>(
    _ old: Matrix<Scalar>?, _ parameters: ParameterVector<Scalar>
  ) -> (keys: Matrix<Scalar>, values: Matrix<Scalar>)? {
    guard oldHeads > 0, let old else { return nil }
    let rows = Matrix(rows: old.rows * oldHeads, columns: headWidth, storage: old.storage)
    let maps = parameters.matrix(name + ".oldValues")
    let values = (0..<oldHeads).map { head in
      old.selectingColumns([headWidth * head..<headWidth * (head + 1)]).timesTransposed(
        maps.selectingRows(headWidth * head..<headWidth * (head + 1)))
    }
    return (
      rows.timesTransposed(parameters.matrix(name + ".oldKey")),
      Matrix(rows: rows.rows, columns: headWidth, storage: Matrix.sideBySide(values).storage)
    )
  }

  private func add<Scalar: KernelScalar>(
    _ further: (keys: Matrix<Scalar>, values: Matrix<Scalar>), _ old: Matrix<Scalar>,
    to gradients: inout ParameterVector<Scalar>
  ) {
    let rows = Matrix(rows: old.rows * oldHeads, columns: headWidth, storage: old.storage)
    gradients.add(name + ".oldKey", further.keys.transposedTimes(rows).storage)
    let values = Matrix(rows: old.rows, columns: oldHeads * headWidth, storage: further.values.storage)
    let maps = (0..<oldHeads).flatMap { head in
      let columns = [headWidth * head..<headWidth * (head + 1)]
      return values.selectingColumns(columns).transposedTimes(old.selectingColumns(columns)).storage
    }
    gradients.add(name + ".oldValues", maps)
  }
}
