internal import Synchronization

/// Passes, and room for one block's tokens, that no call is using: as many as ever ran at once.
final class PassPool: Sendable {
  /// Used by the one call that has it.
  private struct Pair: @unchecked Sendable {
    let pass: PromptPass
    let tokens: FrozenTokens
  }

  private let free = Mutex<[Pair]>([])

  func withPass<Result>(of prompted: PromptedBackbone, _ body: (PromptPass, FrozenTokens) -> Result) -> Result {
    let pair = free.withLock { $0.popLast() } ?? Self.make(prompted)
    defer { free.withLock { $0.append(pair) } }
    return body(pair.pass, pair.tokens)
  }

  private static func make(_ prompted: PromptedBackbone) -> Pair {
    let shape = prompted.backbone.frozenShape
    return Pair(
      pass: PromptPass(prompted.backbone.parts, layout: prompted.layout, earlier: 0, capacity: 1),
      tokens: FrozenTokens(
        shape: FrozenTokens.Shape(
          blocks: 1, tokens: shape.tokens, heads: shape.heads, headWidth: shape.headWidth)))
  }
}
