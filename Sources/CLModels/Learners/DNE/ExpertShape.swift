/// What an expert gives as its feature.
package enum ExpertFeature: UInt8, Sendable {
  /// Its own numbers alone, its summary, as in the paper: for what the backbone does not know.
  case own
  /// The backbone's feature, corrected by a Linear of the summary that starts as zeros, as in side networks (Sung et al.
  /// 2022: ladder side-tuning): for what it does.
  case correction
}

/// How large an expert is: some heads beside a backbone's, over its last blocks (dense network expansion, Hu et al.
/// 2023, on a frozen backbone).
package struct ExpertShape: Sendable, Equatable {
  /// Its own heads, 1...16.
  package let heads: Int
  /// The backbone's last blocks it runs beside.
  package let blocks: Int
  /// Heads of all earlier experts together, which it reads.
  package let earlierHeads: Int
  /// The backbone's numbers.
  package let tokens: Int
  package let patches: Int
  package let width: Int
  package let mlpWidth: Int
  package let backboneHeads: Int
  package let backboneFeatureWidth: Int
  package let feature: ExpertFeature

  package static let headRange = 1...16

  package init(
    heads: Int, blocks: Int, earlierHeads: Int, feature: ExpertFeature, backbone: BackboneDescription
  ) {
    precondition(Self.headRange.contains(heads) && earlierHeads >= 0, "an expert has 1 to 16 heads")
    precondition((1...backbone.blocks).contains(blocks), "an expert runs beside blocks there are")
    self.heads = heads
    self.blocks = blocks
    self.earlierHeads = earlierHeads
    tokens = backbone.tokens
    let grid = backbone.resolution / backbone.patch
    patches = grid * grid
    width = backbone.width
    mlpWidth = backbone.mlpWidth
    backboneHeads = backbone.heads
    backboneFeatureWidth = backbone.featureWidth
    self.feature = feature
  }

  /// Numbers of a head of tokens.
  package var headWidth: Int { width / backboneHeads }
  /// Numbers of a head of an MLP's hidden. Where heads do not divide it the last one is filled up with zeros.
  package var hiddenWidth: Int { mlpWidth.dividedRoundingUp(by: backboneHeads) }
  /// Numbers of a token of the expert's, and of its hidden.
  package var sliceWidth: Int { heads * headWidth }
  package var sliceHiddenWidth: Int { heads * hiddenWidth }
  /// The heads its task attention reads besides its own.
  package var oldHeads: Int { backboneHeads + earlierHeads }
  /// Numbers of what it says of an image: its class token and the mean of its patches.
  var summaryWidth: Int { 2 * sliceWidth }
  /// Numbers of its feature.
  package var featureWidth: Int { feature == .own ? summaryWidth : backboneFeatureWidth }
  /// Numbers that are trained.
  package var parameterCount: Int { ranges.count }

  /// What later experts read of it.
  package var slices: ExpertSlices.Shape {
    ExpertSlices.Shape(
      heads: heads, blocks: blocks, tokens: tokens, headWidth: headWidth, hiddenWidth: hiddenWidth)
  }

  /// Rows that its MLP computes: in the last block only the class token goes on.
  func rows(_ block: Int) -> Int { block == blocks - 1 ? 1 : tokens }
}
