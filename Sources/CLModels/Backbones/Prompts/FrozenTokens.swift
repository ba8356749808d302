internal import CKernels

/// Keys and values of tokens that nothing changes any more, of every block: what prompts read of an image. In int8 with a
/// scale a head and token, in one piece of memory that can be written to a file and read back.
///
/// Written by the thread that makes it; immutable from then on.
package final class FrozenTokens: FrozenBytes {
  /// How many numbers of what there are.
  package struct Shape: FrozenShape {
    package let blocks: Int
    package let tokens: Int
    package let heads: Int
    package let headWidth: Int

    package init(blocks: Int, tokens: Int, heads: Int, headWidth: Int) {
      self.blocks = blocks
      self.tokens = tokens
      self.heads = heads
      self.headWidth = headWidth
    }

    fileprivate var padded: Int { tokens.roundedUp(to: Int(CK_FROZEN_LANES)) }
    fileprivate var keyBytes: Int { heads * headWidth * padded }
    fileprivate var scaleBytes: Int { heads * padded * MemoryLayout<Float>.stride }
    fileprivate var valueBytes: Int { (heads * headWidth * tokens).roundedUp(to: 64) }
    fileprivate var blockBytes: Int { (keyBytes + 2 * scaleBytes + valueBytes).roundedUp(to: 64) }
    /// Bytes of all blocks.
    package var byteCount: Int { blocks * blockBytes }
  }

  package let shape: Shape
  private let memory: AlignedBuffer<UInt8>

  /// Room for tokens, to be frozen block by block. Traps when memory is out, as Swift itself does.
  init(shape: Shape) {
    guard let memory = AlignedBuffer<UInt8>(count: shape.byteCount) else { fatalError("no memory for frozen tokens") }
    self.shape = shape
    self.memory = memory
  }

  /// Tokens that were written out: `fill` puts `shape.byteCount` bytes into the memory it is given, and says whether it could.
  package convenience init?(shape: Shape, fill: (UnsafeMutableRawBufferPointer) -> Bool) {
    self.init(shape: shape)
    let bytes = UnsafeMutableRawBufferPointer(start: memory.pointer, count: shape.byteCount)
    guard fill(bytes) else { return nil }
  }

  /// All of it, for writing out.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(start: memory.pointer, count: shape.byteCount))
  }

  private struct Parts {
    let keys: UnsafeMutablePointer<Int8>
    let keyScales: UnsafeMutablePointer<Float>
    let valueScales: UnsafeMutablePointer<Float>
    let values: UnsafeMutablePointer<Int8>
  }

  private func parts(_ block: Int) -> Parts {
    let base = UnsafeMutableRawPointer(memory.pointer + block * shape.blockBytes)
    let floats = shape.heads * shape.padded
    return Parts(
      keys: base.bindMemory(to: Int8.self, capacity: shape.keyBytes),
      keyScales: (base + shape.keyBytes).bindMemory(to: Float.self, capacity: floats),
      valueScales: (base + shape.keyBytes + shape.scaleBytes).bindMemory(to: Float.self, capacity: floats),
      values: (base + shape.keyBytes + 2 * shape.scaleBytes).bindMemory(to: Int8.self, capacity: shape.valueBytes))
  }

  /// Quantizes a block's keys and values, `[tokens, stride]` each, head after head in a row.
  func freeze(block: Int, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, isa: ck_isa) {
    let (tokens, heads, headWidth) = (Int32(shape.tokens), Int32(shape.heads), Int32(shape.headWidth))
    let parts = parts(block)
    ck_freeze_keys(isa, tokens, heads, headWidth, keys, Int32(stride), parts.keys, parts.keyScales)
    ck_freeze_values(isa, tokens, heads, headWidth, values, Int32(stride), parts.values, parts.valueScales)
  }

  /// A block's tokens as the kernels take them; valid while this object is.
  func kernel(_ block: Int) -> ck_frozen_tokens {
    let parts = parts(block)
    return ck_frozen_tokens(
      tokens: Int32(shape.tokens), keys: parts.keys, key_scales: parts.keyScales, values: parts.values,
      value_scales: parts.valueScales)
  }
}
