package import CLModels

/// A trainer whose training reads one frozen thing of every example, from a cache.
package protocol FrozenTrainer: SourceTrainer {
  associatedtype Frozen: FrozenBytes

  var frozen: FrozenCache<Frozen> { get }
  func reader(_ images: ImageReader) -> FrozenReader<Frozen>
}

extension FrozenTrainer {
  package func isCached(_ id: Int64) -> Bool { frozen.contains(id) }
  package func keep(_ ids: Set<Int64>) { frozen.keep(ids) }
  package func remove(_ ids: [Int64]) { frozen.remove(ids) }

  package func cache(_ id: Int64, wanted: Set<Int64>, images: ImageReader, yield: () -> Void) {
    reader(images).prepare(id, wanted: wanted, yield: yield)
  }
}
