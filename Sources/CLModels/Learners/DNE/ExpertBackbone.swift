internal import Tensor

/// The experts beside a backbone, one after the other: each reads the backbone's heads and the slices of those before it.
///
/// Immutable; any number of threads may use it at once.
package final class ExpertBackbone: Sendable {
  package let blocks: Int
  private let backbone: VisionTransformer
  private let experts: [ExpertParameters]

  /// The bank is of this backbone's shape.
  package init(_ backbone: VisionTransformer, bank: ExpertBank) {
    self.backbone = backbone
    blocks = bank.blocks
    experts = zip(bank.experts, bank.shapes(backbone.description)).map { $0.prepared(for: $1) }
  }

  /// Every expert's feature of an image, of length 1.
  package func features(_ heads: FrozenHeads, yield: () -> Void) -> [[Float]] {
    run(heads, yield: yield).map { result in
      Matrix(rows: 1, columns: result.feature.count, storage: result.feature).rowsOfUnitLength().storage
    }
  }

  /// Every expert's slices, for later experts to read.
  package func slices(_ heads: FrozenHeads, yield: () -> Void) -> [ExpertSlices] {
    run(heads, isLastRead: true, yield: yield).compactMap(\.slices)
  }

  /// - Parameter isLastRead: whether something reads the last expert's slices.
  private func run(
    _ heads: FrozenHeads, isLastRead: Bool = false, yield: () -> Void
  ) -> [(feature: [Float], slices: ExpertSlices?)] {
    var earlier: [ExpertSlices] = []
    var results: [(feature: [Float], slices: ExpertSlices?)] = []
    for (index, parameters) in experts.enumerated() {
      let pass = ExpertPass(backbone, shape: parameters.shape)
      let feature = pass.forward(parameters, heads, earlier: earlier, yield: yield)
      let slices = index < experts.count - 1 || isLastRead ? pass.slices() : nil
      if let slices { earlier.append(slices) }
      results.append((feature, slices))
    }
    return results
  }
}
