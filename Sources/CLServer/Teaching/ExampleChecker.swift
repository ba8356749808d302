package import CLModels
package import Storage
package import Tensor

/// An item that is a readable image, with what is known of it before it is embedded.
package struct CheckedExample: Sendable {
  package let index: Int
  package let item: IntakeItem
  package let sha256: [UInt8]
  package let fingerprint: NearDuplicateFingerprint
}

/// Decodes every item of a request, so that nothing broken is accepted.
package struct ExampleChecker: Sendable {
  private let embedder: Embedder
  private let pool: ComputePool

  package init(embedder: Embedder, pool: ComputePool) {
    self.embedder = embedder
    self.pool = pool
  }

  /// Splits the items into readable images and rejects, each in the order of the request. Blocks until all are decoded,
  /// as background work of the pool.
  package func check(_ intake: Intake) -> (examples: [CheckedExample], rejected: [RejectedItem]) {
    let embedder = embedder
    let items = intake.items
    let outcomes = WaitableLock<[Int: Result<CheckedExample, ImageError>]>([:])
    let pool = pool
    pool.forEach(items.count, priority: .background) { position in
      let (index, item) = items[position]
      let outcome: Result<CheckedExample, ImageError>
      do throws(ImageError) {
        let image = try embedder.decode(item.bytes)
        pool.yield()
        let fingerprint = NearDuplicateFingerprint(of: image)
        outcome = .success(
          CheckedExample(index: index, item: item, sha256: SHA256.hash(item.bytes), fingerprint: fingerprint))
      } catch {
        outcome = .failure(error)
      }
      outcomes.withLock { $0[position] = outcome }
      pool.yield()
    }
    var examples: [CheckedExample] = []
    var rejected = intake.rejected.map { RejectedItem(index: $0.index, name: $0.name, reason: $0.reason) }
    for (position, outcome) in outcomes.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      switch outcome {
      case .success(let example): examples.append(example)
      case .failure(let error):
        let (index, item) = items[position]
        rejected.append(RejectedItem(index: index, name: item.name, reason: error.description))
      }
    }
    return (examples, rejected.sorted { $0.index < $1.index })
  }
}
