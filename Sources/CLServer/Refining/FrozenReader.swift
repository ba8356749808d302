package import CLModels
package import Storage
import Synchronization

/// Pictures of stored examples, as the backbone sees them. Any thread; safe to use on many at once.
package final class ImageReader: Sendable {
  private let embedder: Embedder
  private let store: Store
  private let firstFailure = Mutex<StorageError?>(nil)

  package init(embedder: Embedder, store: Store) {
    self.embedder = embedder
    self.store = store
  }

  /// The first error of the database while reading. What was read since then is not to be used.
  package var failure: StorageError? { firstFailure.withLock { $0 } }

  /// Nil where the picture is gone or cannot be read any more.
  package func image(of id: Int64) -> RGBImage? {
    let stored: [UInt8]?
    do throws(StorageError) {
      stored = try store.exampleBytes(id)
    } catch {
      firstFailure.withLock { $0 = $0 ?? error }
      return nil
    }
    guard let stored else { return nil }
    return try? embedder.prepare(stored)
  }

  /// A picture in place of one that is gone: a step of training goes on, and training starts again without the example as
  /// soon as its removal is seen.
  var grey: RGBImage {
    let side = embedder.backbone.preprocessing.size
    return RGBImage(width: side, height: side, pixels: Array(repeating: 128, count: side * side * 3))
  }
}

/// What is frozen of stored examples: from the cache, or from the picture. Any thread; safe to use on many at once.
package final class FrozenReader<Frozen: FrozenBytes>: Sendable {
  let cache: FrozenCache<Frozen>
  private let images: ImageReader
  private let freeze: @Sendable (RGBImage, _ yield: () -> Void) -> Frozen

  init(
    cache: FrozenCache<Frozen>, images: ImageReader,
    freeze: @escaping @Sendable (RGBImage, _ yield: () -> Void) -> Frozen
  ) {
    self.cache = cache
    self.images = images
    self.freeze = freeze
  }

  /// An example's, kept where there is room; nil where its picture is gone or cannot be read any more. `yield` as in
  /// `Embedder.embed`.
  func kept(of id: Int64, yield: () -> Void) -> Frozen? {
    if let kept = cache.frozen(of: id) { return kept }
    guard let frozen = compute(id, yield: yield) else { return nil }
    _ = cache.insert(id, frozen)
    return frozen
  }

  /// An example's, or a grey picture's where there is none.
  func any(of id: Int64, yield: () -> Void) -> Frozen {
    cache.frozen(of: id) ?? compute(id, yield: yield) ?? freeze(images.grey, yield)
  }

  /// Computes an example's and keeps it; where there is no room, what is not `wanted` goes: what every step reads goes before
  /// what is read once.
  func prepare(_ id: Int64, wanted: Set<Int64>, yield: () -> Void) {
    guard let frozen = compute(id, yield: yield), !cache.insert(id, frozen) else { return }
    cache.keep(wanted)
    _ = cache.insert(id, frozen)
  }

  private func compute(_ id: Int64, yield: () -> Void) -> Frozen? {
    guard let image = images.image(of: id) else { return nil }
    yield()
    return freeze(image, yield)
  }
}
