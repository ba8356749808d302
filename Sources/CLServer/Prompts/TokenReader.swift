import CLModels
import Storage

/// Frozen tokens of stored examples: from the cache, or from the picture. Any thread; safe to use on many at once.
struct TokenReader: Sendable {
  let cache: TokenCache
  let embedder: Embedder
  let store: Store

  /// An example's tokens. Those of a picture that is gone or cannot be read any more are those of a grey one: training
  /// goes on, and starts again without it as soon as the removal is seen.
  func tokens(of id: Int64) -> FrozenTokens { cache.tokens(of: id) ?? compute(id) {} }

  /// Computes an example's tokens and keeps them where there is room.
  func compute(_ id: Int64, yield: () -> Void) -> FrozenTokens {
    let bytes = (try? store.exampleBytes(id)) ?? nil
    let image = bytes.flatMap { bytes in try? embedder.prepare(bytes) }
    let side = embedder.backbone.preprocessing.size
    let grey = RGBImage(width: side, height: side, pixels: Array(repeating: 128, count: side * side * 3))
    let tokens = embedder.backbone.freeze(image ?? grey, yield: yield).tokens
    if image != nil { cache.insert(id, tokens) }
    return tokens
  }
}
