extension SliceShape {
  /// Numbers that the slice adds to the network.
  package var parameterCount: Int { layout.count }

  /// Multiplications with an addition for one image, forward, of this slice alone. Not counted are normalizations,
  /// activations and softmaxes, nor what depends on no image and is computed once for many: W_q^T W_k, and scores of
  /// positions.
  package var multiplyAccumulates: Int {
    let tokens = network.tokens
    let patches = tokens * network.patchInputs * width
    let spatial = attentionCost(queries: tokens, tokens: tokens) + tokens * mixingCost
    let reading = attentionCost(queries: 1, tokens: tokens + 1) + mixingCost
    return patches + network.spatialBlocks * spatial + reading
  }

  private func attentionCost(queries: Int, tokens: Int) -> Int {
    let projections = 2 * (queries + tokens) * width * width
    let own = 2 * queries * tokens * width
    guard network.path == .joint else { return projections + own }
    let further = tokens * oldHeads
    return projections + own + 2 * further * network.headWidth * network.headWidth + 2 * queries * further * width
  }

  /// Of both layers, for one token.
  private var mixingCost: Int {
    let (narrow, wide) = (network.headWidth, network.hiddenWidth)
    guard network.path == .dense, oldHeads > 0 else { return 2 * heads * narrow * heads * wide }
    return taskAttentionCost(narrow, wide) + taskAttentionCost(wide, narrow)
  }

  /// As `TaskAttention` computes it: all values once; for each new head W_q^T W_k, which is one matrix, the scores, and the
  /// sums of values and of biases.
  private func taskAttentionCost(_ inputs: Int, _ outputs: Int) -> Int {
    let all = oldHeads + heads
    return all * inputs * outputs + heads * (inputs * inputs + all * inputs + 2 * all * outputs)
  }
}

extension ExpandingNetwork {
  package var parameterCount: Int { slices.reduce(heads.parameters.numbers.count) { $0 + $1.shape.parameterCount } }

  /// For one image, forward, all slices and heads.
  package var multiplyAccumulates: Int {
    slices.reduce(heads.classCount * width) { $0 + $1.shape.multiplyAccumulates }
  }
}
