internal import CKernels
internal import Tensor

/// One block of an expert, beside one of the backbone's: with x the expert's slice of every token, `[tokens, slice]`,
///
///     x += output(attention(norm1(x)))                      over the expert's own heads
///     y = norm2(x),  h = activation(up([old inputs, y]))    task attention over all experts' heads, token by token
///     x += down([old hiddens, h])                           task attention again
///
/// The last block goes on with the class token alone, which still attends to all tokens: the result is `[1, slice]`.
struct ExpertBlock {
  let heads: Int
  let isLast: Bool
  let activation: ck_epilogue
  let isa: ck_isa

  static let epsilon: Float = 1e-5

  /// What earlier experts and the backbone give the two task attentions, `[rows, oldHeads * headWidth]` and
  /// `[rows, oldHeads * hiddenWidth]`.
  struct Old {
    let mlpInput: Matrix<Float>
    let hidden: Matrix<Float>
  }

  /// What the way back needs.
  struct Saved {
    let old: Old
    let norm1: LayerNormalization.Saved<Float>
    let normalized: Matrix<Float>
    let queries: Matrix<Float>
    let keys: Matrix<Float>
    let values: Matrix<Float>
    let attention: MultiHeadAttention.Saved<Float>
    let attended: Matrix<Float>
    let norm2: LayerNormalization.Saved<Float>
    let mlpInput: Matrix<Float>
    let up: TaskAttention.Saved<Float>
    let beforeActivation: Matrix<Float>
    let hidden: Matrix<Float>
    let down: TaskAttention.Saved<Float>
  }

  /// The rows that queries are made of.
  private func asking(_ x: Matrix<Float>) -> Matrix<Float> { isLast ? x.selectingRows(0..<1) : x }

  func forward(
    _ x: Matrix<Float>, old: Old, parameters: ExpertParameters.Block, yield: () -> Void
  ) -> (output: Matrix<Float>, saved: Saved) {
    let (normalized, norm1) = parameters.norm1.forward(x)
    let queries = asking(normalized).timesTransposed(parameters.query)
    let keys = normalized.timesTransposed(parameters.key)
    let values = normalized.timesTransposed(parameters.value)
    let (attended, attention) = MultiHeadAttention.forward(
      queries: queries, keys: keys, values: values, heads: heads)
    let middle = parameters.attentionOutput.forward(attended).adding(asking(x))
    yield()
    let (mlpInput, norm2) = parameters.norm2.forward(middle)
    let (beforeActivation, up) = TaskAttention.forward(
      old: old.mlpInput, new: mlpInput, parameters: parameters.up, yield: yield)
    var hidden = beforeActivation
    let count = hidden.storage.count
    hidden.storage.withUnsafeMutableBufferPointer {
      if let base = $0.baseAddress { ck_activation(isa, activation, count, base) }
    }
    let (mixed, down) = TaskAttention.forward(
      old: old.hidden, new: hidden, parameters: parameters.down, yield: yield)
    let saved = Saved(
      old: old, norm1: norm1, normalized: normalized, queries: queries, keys: keys, values: values,
      attention: attention, attended: attended, norm2: norm2, mlpInput: mlpInput, up: up,
      beforeActivation: beforeActivation, hidden: hidden, down: down)
    return (mixed.adding(middle), saved)
  }

  /// From the gradient of what `forward` returned to that of x; the parameters' is added to `sums`.
  func backward(
    _ gradient: Matrix<Float>, saved: Saved, parameters: ExpertParameters.Block,
    adding sums: inout ExpertParameters.Block, yield: () -> Void
  ) -> Matrix<Float> {
    var hidden = TaskAttention.backward(
      gradient, old: saved.old.hidden, new: saved.hidden, parameters: parameters.down, saved: saved.down,
      adding: &sums.down, yield: yield)
    let count = hidden.storage.count
    hidden.storage.withUnsafeMutableBufferPointer {
      if let base = $0.baseAddress {
        ck_activation_backward(isa, activation, count, saved.beforeActivation.storage, base)
      }
    }
    let mlpInput = TaskAttention.backward(
      hidden, old: saved.old.mlpInput, new: saved.mlpInput, parameters: parameters.up, saved: saved.up,
      adding: &sums.up, yield: yield)
    let middle = parameters.norm2.backward(mlpInput, saved: saved.norm2, adding: &sums.norm2).adding(gradient)

    let attended = parameters.attentionOutput.backward(
      middle, input: saved.attended, adding: &sums.attentionOutput)
    let (queries, keys, values) = MultiHeadAttention.backward(
      attended, queries: saved.queries, keys: saved.keys, values: saved.values, saved: saved.attention)
    sums.query.addProduct(queries, asking(saved.normalized))
    sums.key.addProduct(keys, saved.normalized)
    sums.value.addProduct(values, saved.normalized)
    var normalized = keys.times(parameters.key).adding(values.times(parameters.value))
    normalized.addRows(queries.times(parameters.query))
    var result = parameters.norm1.backward(normalized, saved: saved.norm1, adding: &sums.norm1)
    result.addRows(middle)
    yield()
    return result
  }
}
