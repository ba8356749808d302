/// Makes blocks and norms of a checkpoint's tensors.
struct PartsBuilder {
  let checkpoint: Checkpoint
  let width: Int
  let mlpWidth: Int
  let heads: Int
  let configuration: VisionTransformerConfiguration
  let precision: BackbonePrecision

  func norm(_ name: String) throws(BackboneError) -> LayerNorm {
    guard let gain = AlignedBuffer(try checkpoint.floats(name + ".weight", shape: [width])),
      let bias = AlignedBuffer(try checkpoint.floats(name + ".bias", shape: [width]))
    else { throw .outOfMemory }
    return LayerNorm(width: width, gain: gain, bias: bias, epsilon: configuration.epsilon)
  }

  func block(_ index: Int, isLast: Bool) throws(BackboneError) -> TransformerBlock {
    let scheme = checkpoint.scheme
    func name(_ pattern: String) -> String { scheme.inBlock(pattern, index) }

    return TransformerBlock(
      TransformerBlock.Parts(
        norm1: try norm(name(scheme.norm1)),
        projections: try projections(index, isLast: isLast),
        attentionOutput: try scaled(
          name(scheme.attentionOutput), outputs: width, inputs: width, scale: scheme.attentionScale.map(name)),
        norm2: try norm(name(scheme.norm2)),
        mlpUp: try Linear(
          checkpoint.linear(name(scheme.mlpUp), outputs: mlpWidth, inputs: width), precision: precision),
        mlpDown: try scaled(
          name(scheme.mlpDown), outputs: width, inputs: mlpWidth, scale: scheme.mlpScale.map(name)),
        activation: configuration.activation, heads: heads))
  }

  private func projections(_ index: Int, isLast: Bool) throws(BackboneError) -> TransformerBlock.Projections {
    let scheme = checkpoint.scheme
    var query: LinearWeights
    var rest: [LinearWeights]
    switch scheme.attention {
    case .separate(let queryName, let keyName, let valueName):
      query = try checkpoint.linear(scheme.inBlock(queryName, index), outputs: width, inputs: width)
      rest = [
        try checkpoint.linear(scheme.inBlock(keyName, index), outputs: width, inputs: width),
        try checkpoint.linear(scheme.inBlock(valueName, index), outputs: width, inputs: width),
      ]
    case .fused(let name):
      let all = try checkpoint.linear(scheme.inBlock(name, index), outputs: 3 * width, inputs: width)
      query = all.rows(0..<width)
      rest = [all.rows(width..<3 * width)]
    }
    query = inPrecision(query)
    rest = rest.map(inPrecision)
    guard isLast else { return .all(try Linear(.stacked([query] + rest), precision: precision)) }
    return .classToken(
      query: try Linear(query, precision: precision),
      keysAndValues: try Linear(.stacked(rest), precision: precision))
  }

  private func inPrecision(_ weights: LinearWeights) -> LinearWeights {
    precision == .int8 ? weights.quantized() : weights.dequantized()
  }

  /// A Linear that ends a branch, with the branch's layer scale where the checkpoint has one.
  private func scaled(_ name: String, outputs: Int, inputs: Int, scale: String?) throws(BackboneError) -> Linear {
    var weights = try checkpoint.linear(name, outputs: outputs, inputs: inputs)
    if let scale, checkpoint.contains(scale) {
      weights = weights.multiplied(byOutput: try checkpoint.floats(scale, shape: [outputs]))
    }
    return try Linear(weights, precision: precision)
  }
}
