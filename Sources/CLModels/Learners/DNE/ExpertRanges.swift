/// Where in an expert's flat parameters which of them are. In this order: the input's Linear, block by block what is in
/// `Block`, the norms of the two halves of the summary, the Linear of a correction.
package struct ExpertRanges: Sendable, Equatable {
  /// Weights `[outputs, inputs]` and a bias an output.
  package struct Linear: Sendable, Equatable {
    package let weights: Range<Int>
    package let bias: Range<Int>
  }

  /// A gain and a bias a column.
  package struct Norm: Sendable, Equatable {
    package let gain: Range<Int>
    package let bias: Range<Int>
  }

  /// See `TaskAttention.Parameters`.
  package struct Mixing: Sendable, Equatable {
    package let query: Range<Int>
    package let key: Range<Int>
    package let values: Range<Int>
    package let biases: Range<Int>
    package let scale: Range<Int>
  }

  package struct Block: Sendable, Equatable {
    package let norm1: Norm
    /// `[slice, slice]` each, without biases.
    package let query: Range<Int>
    package let key: Range<Int>
    package let value: Range<Int>
    /// `[slice, slice]`.
    package let attentionOutput: Linear
    package let norm2: Norm
    package let up: Mixing
    package let down: Mixing
  }

  /// `[slice, width]`.
  package let input: Linear
  package let blocks: [Block]
  package let patchNorm: Norm
  package let classNorm: Norm
  /// `[feature, summary]`; none where the summary is the feature.
  package let correction: Linear?
  /// How many numbers there are.
  package let count: Int
}

extension ExpertShape {
  package var ranges: ExpertRanges {
    var parts = RangeCutter()
    let slice = sliceWidth
    let input = parts.linear(slice, width)
    let blocks = (0..<blocks).map { _ in
      ExpertRanges.Block(
        norm1: parts.norm(slice), query: parts.take(slice * slice), key: parts.take(slice * slice),
        value: parts.take(slice * slice), attentionOutput: parts.linear(slice, slice), norm2: parts.norm(slice),
        up: parts.mixing(heads: oldHeads + heads, headWidth, hiddenWidth),
        down: parts.mixing(heads: oldHeads + heads, hiddenWidth, headWidth))
    }
    let patchNorm = parts.norm(slice)
    let classNorm = parts.norm(slice)
    let correction = feature == .correction ? parts.linear(featureWidth, summaryWidth) : nil
    return ExpertRanges(
      input: input, blocks: blocks, patchNorm: patchNorm, classNorm: classNorm, correction: correction, count: parts.end
    )
  }
}

/// Cuts ranges off one after the other.
private struct RangeCutter {
  private(set) var end = 0

  mutating func take(_ count: Int) -> Range<Int> {
    defer { end += count }
    return end..<end + count
  }

  mutating func linear(_ outputs: Int, _ inputs: Int) -> ExpertRanges.Linear {
    ExpertRanges.Linear(weights: take(outputs * inputs), bias: take(outputs))
  }

  mutating func norm(_ width: Int) -> ExpertRanges.Norm {
    ExpertRanges.Norm(gain: take(width), bias: take(width))
  }

  mutating func mixing(heads: Int, _ inputWidth: Int, _ outputWidth: Int) -> ExpertRanges.Mixing {
    ExpertRanges.Mixing(
      query: take(inputWidth * inputWidth), key: take(inputWidth * inputWidth),
      values: take(outputWidth * heads * inputWidth), biases: take(heads * outputWidth), scale: take(1))
  }
}
