package import Tensor

/// What all slices of a network that grows have in common (DNE, Hu et al. 2023): a small vision transformer whose last
/// block reads a class token.
package struct NetworkShape: Sendable, Equatable {
  /// How a new slice reads the older ones.
  package enum CrossTaskPath: String, Sendable, CaseIterable {
    /// Task attention where features are mixed, token by token: DNE.
    case dense
    /// Not at all: an expert a task, as DER.
    case independent
    /// Attention of the new heads over the tokens of all slices' heads: spatial and task attention in one.
    case joint
  }

  package var channels: Int
  /// Of the square image, in pixels, as is the patch, which divides it.
  package var side: Int
  package var patch: Int
  package var headWidth: Int
  /// Blocks before the class-attention block.
  package var spatialBlocks: Int
  /// The hidden width of the feature mixing, in input widths.
  package var expansionRatio: Int
  package var path: CrossTaskPath

  package init(
    channels: Int, side: Int, patch: Int, headWidth: Int = 32, spatialBlocks: Int = 2, expansionRatio: Int = 4,
    path: CrossTaskPath = .dense
  ) {
    precondition(side.isMultiple(of: patch), "patches fill the image")
    self.channels = channels
    self.side = side
    self.patch = patch
    self.headWidth = headWidth
    self.spatialBlocks = spatialBlocks
    self.expansionRatio = expansionRatio
    self.path = path
  }

  package var patchesPerSide: Int { side / patch }
  /// Without the class token.
  package var tokens: Int { patchesPerSide * patchesPerSide }
  package var patchInputs: Int { channels * patch * patch }
  package var pixels: Int { channels * side * side }
  var hiddenWidth: Int { headWidth * expansionRatio }
  /// Added to the variance, in every normalization.
  static let epsilon = 1e-6

  /// What is known of where one patch lies from another, `[tokens * tokens, 3]`: columns to the right, rows down, and
  /// the square of the distance, in patches (ConViT).
  package func pairs<Scalar: KernelScalar>(_: Scalar.Type = Scalar.self) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: tokens * tokens, columns: 3)
    for query in 0..<tokens {
      for key in 0..<tokens {
        let right = key % patchesPerSide - query % patchesPerSide
        let down = key / patchesPerSide - query / patchesPerSide
        let row = query * tokens + key
        result[row, 0] = Scalar(right)
        result[row, 1] = Scalar(down)
        result[row, 2] = Scalar(right * right + down * down)
      }
    }
    return result
  }
}
