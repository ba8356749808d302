internal import CKernels
internal import Tensor

/// One block of an expert, beside one of the backbone's: with x the expert's slice of every token of some images,
/// `[images * tokens, slice]`,
///
///     x += output(attention(norm1(x)))                      over the expert's own heads, image by image
///     y = norm2(x),  h = activation(up([old inputs, y]))    task attention over all experts' heads, token by token
///     x += down([old hiddens, h])                           task attention again
///
/// The last block goes on with the class tokens alone, which still attend to all tokens: the result is `[images,
/// slice]`.
struct ExpertBlock {
  let shape: ExpertShape
  let isLast: Bool
  let activation: ck_epilogue
  let isa: ck_isa

  static let epsilon: Float = 1e-5

  /// What the way back needs.
  struct Saved {
    let norm1: LayerNormalization.Saved<Float>
    let normalized: Matrix<Float>
    let attention: [SavedAttention]
    let attended: Matrix<Float>
    let norm2: LayerNormalization.Saved<Float>
    let mlpInput: Matrix<Float>
    let up: TaskAttention.Saved<Float>
    let beforeActivation: Matrix<Float>
    let hidden: Matrix<Float>
    let down: TaskAttention.Saved<Float>
  }

  /// Of one image.
  struct SavedAttention {
    let queries: Matrix<Float>
    let keys: Matrix<Float>
    let values: Matrix<Float>
    let weights: MultiHeadAttention.Saved<Float>
  }

  /// The heads of the backbone and of earlier experts, `[rows, oldHeads * headWidth]` and `[rows, oldHeads *
  /// hiddenWidth]`: called when they are needed, they are large.
  struct Old {
    let mlpInput: () -> Matrix<Float>
    let hidden: () -> Matrix<Float>
  }

  /// The class token's row of every image.
  private func classTokens(_ x: Matrix<Float>) -> Matrix<Float> {
    x.selectingRows(stride(from: 0, to: x.rows, by: shape.tokens))
  }

  /// Rows that stay: all, or those of the class tokens.
  private func staying(_ x: Matrix<Float>) -> Matrix<Float> { isLast ? classTokens(x) : x }

  func forward(
    _ x: Matrix<Float>, old: Old, parameters: ExpertParameters.Block, yield: () -> Void
  ) -> (output: Matrix<Float>, saved: Saved) {
    let (normalized, norm1) = parameters.norm1.forward(x)
    let (attended, attention) = attend(normalized, parameters)
    let middle = parameters.attentionOutput.forward(attended).adding(staying(x))
    yield()
    let (mlpInput, norm2) = parameters.norm2.forward(middle)
    let (beforeActivation, up) = TaskAttention.forward(
      old: old.mlpInput(), new: mlpInput, prepared: parameters.up, yield: yield)
    var hidden = beforeActivation
    let count = hidden.storage.count
    hidden.storage.withUnsafeMutableBufferPointer {
      if let base = $0.baseAddress { ck_activation(isa, activation, count, base) }
    }
    let (mixed, down) = TaskAttention.forward(
      old: old.hidden(), new: hidden, prepared: parameters.down, yield: yield)
    let saved = Saved(
      norm1: norm1, normalized: normalized, attention: attention, attended: attended, norm2: norm2,
      mlpInput: mlpInput, up: up, beforeActivation: beforeActivation, hidden: hidden, down: down)
    return (mixed.adding(middle), saved)
  }

  /// Of the tokens of every image by themselves.
  private func attend(
    _ normalized: Matrix<Float>, _ parameters: ExpertParameters.Block
  ) -> (output: Matrix<Float>, saved: [SavedAttention]) {
    let queries = staying(normalized).timesTransposed(parameters.query)
    let keys = normalized.timesTransposed(parameters.key)
    let values = normalized.timesTransposed(parameters.value)
    let images = normalized.rows / shape.tokens
    var output: [Float] = []
    output.reserveCapacity(queries.storage.count)
    var saved: [SavedAttention] = []
    for image in 0..<images {
      let own = (queries.of(image, images), keys.of(image, images), values.of(image, images))
      let (attended, weights) = MultiHeadAttention.forward(
        queries: own.0, keys: own.1, values: own.2, heads: shape.heads)
      output += attended.storage
      saved.append(SavedAttention(queries: own.0, keys: own.1, values: own.2, weights: weights))
    }
    return (Matrix(rows: queries.rows, columns: queries.columns, storage: output), saved)
  }

  /// From the gradient of what `forward` returned to that of x; the parameters' is added to `sums`.
  func backward(
    _ gradient: Matrix<Float>, saved: Saved, old: Old, parameters: ExpertParameters.Block,
    adding sums: inout ExpertGradient.Block, yield: () -> Void
  ) -> Matrix<Float> {
    var hidden = TaskAttention.backward(
      gradient, old: old.hidden(), new: saved.hidden, prepared: parameters.down, saved: saved.down,
      adding: &sums.down, yield: yield)
    let count = hidden.storage.count
    hidden.storage.withUnsafeMutableBufferPointer {
      if let base = $0.baseAddress {
        ck_activation_backward(isa, activation, count, saved.beforeActivation.storage, base)
      }
    }
    let mlpInput = TaskAttention.backward(
      hidden, old: old.mlpInput(), new: saved.mlpInput, prepared: parameters.up, saved: saved.up,
      adding: &sums.up, yield: yield)
    let middle = parameters.norm2.backward(mlpInput, saved: saved.norm2, adding: &sums.norm2).adding(gradient)
    sums.attentionOutput.add(middle, input: saved.attended)
    let normalized = attendBackward(
      parameters.attentionOutput.backward(middle), saved: saved, parameters: parameters, adding: &sums)
    var result = parameters.norm1.backward(normalized, saved: saved.norm1, adding: &sums.norm1)
    result.add(middle, every: isLast ? shape.tokens : 1)
    yield()
    return result
  }

  /// From the gradient of what the heads say to that of what they read.
  private func attendBackward(
    _ gradient: Matrix<Float>, saved: Saved, parameters: ExpertParameters.Block,
    adding sums: inout ExpertGradient.Block
  ) -> Matrix<Float> {
    let images = saved.attention.count
    var (queries, keys, values): ([Float], [Float], [Float]) = ([], [], [])
    for (image, attention) in saved.attention.enumerated() {
      let own = MultiHeadAttention.backward(
        gradient.of(image, images), queries: attention.queries, keys: attention.keys, values: attention.values,
        saved: attention.weights)
      queries += own.queries.storage
      keys += own.keys.storage
      values += own.values.storage
    }
    func rows(_ storage: [Float]) -> Matrix<Float> {
      Matrix(rows: storage.count / shape.sliceWidth, columns: shape.sliceWidth, storage: storage)
    }
    sums.query.addProduct(rows(queries), staying(saved.normalized))
    sums.key.addProduct(rows(keys), saved.normalized)
    sums.value.addProduct(rows(values), saved.normalized)
    var result = rows(keys).times(parameters.key)
    result.add(rows(values).times(parameters.value))
    result.add(rows(queries).times(parameters.query), every: isLast ? shape.tokens : 1)
    return result
  }
}

extension Matrix where Scalar == Float {
  /// The rows of one of `images` images.
  fileprivate func of(_ image: Int, _ images: Int) -> Matrix {
    guard images > 1 else { return self }
    let count = rows / images
    return Matrix(
      rows: count, columns: columns, storage: Array(storage[image * count * columns..<(image + 1) * count * columns]))
  }
}
