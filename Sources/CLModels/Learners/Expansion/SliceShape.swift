/// How large the slice of one task is, and which parameters it has.
package struct SliceShape: Sendable, Equatable {
  package let network: NetworkShape
  /// Heads of all older slices together.
  package let oldHeads: Int
  /// k, the heads this slice adds to every layer.
  package let heads: Int

  package init(network: NetworkShape, oldHeads: Int, heads: Int) {
    precondition(heads > 0 && oldHeads >= 0, "a slice has heads")
    self.network = network
    self.oldHeads = oldHeads
    self.heads = heads
  }

  package var width: Int { heads * network.headWidth }

  /// Patch and position embedding, the blocks, the class-attention block last.
  package var layout: ParameterLayout {
    var layout = ParameterLayout()
    layout.append("patch.weights", width, network.patchInputs)
    layout.append("patch.bias", 1, width)
    layout.append("positions", network.tokens, width)
    for block in blocks { block.declare(in: &layout) }
    classBlock.declare(in: &layout)
    return layout
  }

  var blocks: [SpatialBlock] { (0..<network.spatialBlocks).map { SpatialBlock(self, index: $0) } }
  var classBlock: ClassBlock { ClassBlock(self) }

  func attention(_ name: String, isSpatial: Bool) -> SliceAttention {
    SliceAttention(
      name: name, oldHeads: network.path == .joint ? oldHeads : 0, heads: heads, headWidth: network.headWidth,
      hasPositions: isSpatial, asksFirstOnly: !isSpatial)
  }

  func mixing(_ name: String) -> FeatureMixing {
    FeatureMixing(
      name: name, oldHeads: network.path == .dense ? oldHeads : 0, newHeads: heads, headWidth: network.headWidth,
      hiddenWidth: network.hiddenWidth)
  }
}
