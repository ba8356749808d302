package import CLModels
package import Tensor

extension Recipe {
  /// For experts: first one that starts from what the backbone says, then one that starts from nothing.
  package static let expert = [
    Recipe(name: "correction", steps: 40, learningRate: 1e-3, backboneShare: 0.5, expertFeature: .correction),
    Recipe(name: "own", steps: 40, learningRate: 1e-3, backboneShare: 0.5, expertFeature: .own),
  ]
}

/// Trains experts: keeps what they read of examples, the backbone's heads and the slices of earlier experts.
package final class ExpertTrainer: FrozenTrainer {
  package let options: RefiningOptions
  private let heads: Int
  /// The most experts of a bank.
  private let limit: Int
  package let frozen: FrozenCache<FrozenHeads>
  private let backbone: VisionTransformer
  private let pool: ComputePool

  /// - Parameters:
  ///   - heads: of a new expert.
  ///   - frozen: of the shape of the blocks that experts stand beside.
  package init(
    backbone: VisionTransformer, options: RefiningOptions, heads: Int, limit: Int, frozen: FrozenCache<FrozenHeads>,
    pool: ComputePool
  ) {
    self.limit = limit
    self.backbone = backbone
    self.options = options
    self.heads = heads
    self.frozen = frozen
    self.pool = pool
  }

  package var kind: SourceKind { .experts }
  package var settings: String { "\(options.training) \(options.lambda) \(heads)" }

  package func obstacle(to taskID: Int64, on bank: SourceBank) -> String? {
    bank.experts.base(for: taskID).experts.count < limit
      ? nil : "there are as many experts as may be (expert_limit, \(limit))"
  }

  package func reader(_ images: ImageReader) -> FrozenReader<FrozenHeads> {
    FrozenReader(cache: frozen, images: images) { [backbone, blocks = frozen.shape.blocks] in
      backbone.freezeHeads($0, blocks: blocks, yield: $1).heads
    }
  }

  /// Slices of all the bank's experts, computed when an example is first asked for and kept as long as there is room, in
  /// one cache for all experts that are alike. Any thread.
  private func slices(
    of bank: ExpertBank
  ) -> @Sendable (_ id: Int64, _ heads: FrozenHeads, _ yield: () -> Void) -> [ExpertSlices] {
    let experts = ExpertBackbone(backbone, bank: bank)
    let shapes = bank.shapes(backbone.description).map(\.slices)
    let kinds = shapes.reduce(into: [ExpertSlices.Shape]()) { if !$0.contains($1) { $0.append($1) } }
    let caches: [FrozenCache<ExpertSlices>] = kinds.map { frozen.sibling($0, among: kinds.count) }
    let places = shapes.map { shape in caches[kinds.firstIndex(of: shape) ?? 0] }
    let count = Int64(shapes.count)
    return { id, heads, yield in
      let kept = places.enumerated().compactMap { index, cache in
        defer { yield() }
        return cache.frozen(of: id * count + Int64(index))
      }
      if kept.count == shapes.count { return kept }
      let slices = experts.slices(heads, yield: yield)
      for (index, slice) in slices.enumerated() { _ = places[index].insert(id * count + Int64(index), slice) }
      return slices
    }
  }

  /// Trains a new expert that reads the bank's. An expert of the same task that was the last one goes.
  package func training(
    of taskID: Int64, on bank: SourceBank, ids: [Int64], set: SourceTrainingSet, recipe: Recipe, seed: UInt64,
    images: ImageReader
  ) throws(BackboneError) -> SourceTraining {
    let base = bank.experts.base(for: taskID)
    let shape = ExpertShape(
      heads: heads, blocks: base.blocks, earlierHeads: base.experts.reduce(0) { $0 + $1.heads },
      feature: recipe.expertFeature, backbone: backbone.description)
    var generator = SeededGenerator(seed: seed)
    let start = ExpertStart.parameters(shape, generator: &generator)
    let reader = reader(images)
    let earlier = base.isEmpty ? nil : slices(of: base)
    return SourceTraining(
      .expert(
        backbone, shape: shape,
        inputs: { [pool] index in
          let heads = reader.any(of: ids[index]) { pool.yield() }
          return ExpertSource(heads: heads, earlier: earlier?(ids[index], heads) { pool.yield() } ?? [])
        }),
      start: start, set: set, options: options.training(recipe, seed: seed), pool: pool)
  }

  package func learned(
    _ bank: SourceBank, from parameters: [Float], taskID: Int64, examples: [Int64], recipe: Recipe
  ) -> SourceBank {
    var next = bank
    next.experts = bank.experts.learning(
      ExpertBank.Expert(
        taskID: taskID, heads: heads, feature: recipe.expertFeature, parameters: parameters, examples: examples))
    return next
  }

  package func features(
    of bank: SourceBank, images: ImageReader
  ) -> @Sendable (_ id: Int64, _ yield: () -> Void) -> [[Float]]? {
    let experts = ExpertBackbone(backbone, bank: bank.experts)
    let reader = reader(images)
    return { id, yield in
      guard let heads = reader.kept(of: id, yield: yield) else { return nil }
      return experts.features(heads, yield: yield)
    }
  }
}
