import CLModels
import Storage
import Synchronization

/// Frozen tokens of stored examples: from the cache, or from the picture. Any thread; safe to use on many at once.
final class TokenReader: Sendable {
  let cache: TokenCache
  private let embedder: Embedder
  private let store: Store
  private let firstFailure = Mutex<StorageError?>(nil)

  init(cache: TokenCache, embedder: Embedder, store: Store) {
    self.cache = cache
    self.embedder = embedder
    self.store = store
  }

  /// The first error of the database while reading. What was read since then is not to be used.
  var failure: StorageError? { firstFailure.withLock { $0 } }

  /// An example's tokens, kept where there is room; nil where its picture is gone or cannot be read any more. `yield` as in
  /// `Embedder.embed`.
  func keptTokens(of id: Int64, yield: () -> Void) -> FrozenTokens? {
    if let kept = cache.tokens(of: id) { return kept }
    guard let tokens = compute(id, yield: yield) else { return nil }
    _ = cache.insert(id, tokens)
    return tokens
  }

  /// An example's tokens, or those of a grey picture where there are none: a step of training goes on, and training starts
  /// again without the example as soon as its removal is seen.
  func anyTokens(of id: Int64, yield: () -> Void) -> FrozenTokens {
    if let tokens = cache.tokens(of: id) ?? compute(id, yield: yield) { return tokens }
    let side = embedder.backbone.preprocessing.size
    let grey = RGBImage(width: side, height: side, pixels: Array(repeating: 128, count: side * side * 3))
    return embedder.backbone.freeze(grey, yield: yield).tokens
  }

  /// An example's tokens from its picture.
  func compute(_ id: Int64, yield: () -> Void) -> FrozenTokens? {
    let stored: [UInt8]?
    do throws(StorageError) {
      stored = try store.exampleBytes(id)
    } catch {
      firstFailure.withLock { $0 = $0 ?? error }
      return nil
    }
    guard let stored, let image = try? embedder.prepare(stored) else { return nil }
    yield()
    return embedder.backbone.freeze(image, yield: yield).tokens
  }
}
