import CLModels
import Storage

/// Frozen tokens of stored examples: from the cache, or from the picture. Any thread; safe to use on many at once.
struct TokenReader: Sendable {
  let cache: TokenCache
  let embedder: Embedder
  let store: Store

  /// An example's tokens; nil where its picture is gone or cannot be read any more. `yield` as in `Embedder.embed`.
  func tokens(of id: Int64, yield: () -> Void) -> FrozenTokens? { cache.tokens(of: id) ?? compute(id, yield: yield) }

  /// The same; they are kept where there is room.
  func keptTokens(of id: Int64, yield: () -> Void) -> FrozenTokens? {
    if let kept = cache.tokens(of: id) { return kept }
    guard let tokens = compute(id, yield: yield) else { return nil }
    _ = cache.insert(id, tokens)
    return tokens
  }

  /// The same as `tokens(of:)`, with those of a grey picture where there are none: a step of training goes on, and training starts again
  /// without the example as soon as its removal is seen.
  func anyTokens(of id: Int64, yield: () -> Void) -> FrozenTokens {
    if let tokens = tokens(of: id, yield: yield) { return tokens }
    let side = embedder.backbone.preprocessing.size
    let grey = RGBImage(width: side, height: side, pixels: Array(repeating: 128, count: side * side * 3))
    return embedder.backbone.freeze(grey, yield: yield).tokens
  }

  /// An example's tokens from its picture.
  func compute(_ id: Int64, yield: () -> Void) -> FrozenTokens? {
    guard let bytes = (try? store.exampleBytes(id)) ?? nil, let image = try? embedder.prepare(bytes) else { return nil }
    yield()
    return embedder.backbone.freeze(image, yield: yield).tokens
  }
}
