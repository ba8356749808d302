internal import CKernels
internal import Tensor

/// What later experts read of an earlier expert, of one image: in every block what its MLP read and the hidden after
/// the activation, `[rows, heads * headWidth]` and `[rows, heads * hiddenWidth]`, in bytes as `FrozenHeads`.
///
/// Later experts read these bytes in training and in serving alike. Written by the thread that makes it; immutable from
/// then on.
package final class ExpertSlices: FrozenBytes {
  package struct Shape: FrozenShape {
    package let heads: Int
    package let blocks: Int
    package let tokens: Int
    package let headWidth: Int
    package let hiddenWidth: Int

    package init(heads: Int, blocks: Int, tokens: Int, headWidth: Int, hiddenWidth: Int) {
      precondition(blocks > 0, "an expert has a block")
      self.heads = heads
      self.blocks = blocks
      self.tokens = tokens
      self.headWidth = headWidth
      self.hiddenWidth = hiddenWidth
    }

    fileprivate var rows: [QuantizedRows.Shape] {
      QuantizedRows.shapes(blocks: blocks, tokens: tokens, widths: [heads * headWidth, heads * hiddenWidth])
    }

    /// Bytes of all of it.
    package var byteCount: Int { QuantizedMemory.byteCount(rows) }
  }

  package let shape: Shape
  private let memory: QuantizedMemory

  /// Room for one image's. Traps when memory is out, as Swift itself does.
  init(shape: Shape) {
    self.shape = shape
    memory = QuantizedMemory(shape.rows)
  }

  /// Slices that were written out: `fill` puts `shape.byteCount` bytes into the memory it is given, and says whether it
  /// could.
  package convenience init?(shape: Shape, fill: (UnsafeMutableRawBufferPointer) -> Bool) {
    self.init(shape: shape)
    guard fill(memory.bytes) else { return nil }
  }

  /// All of it, for writing out.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(memory.bytes))
  }

  /// Keeps a block's, in bytes.
  func freeze(block: Int, mlpInput: Matrix<Float>, hidden: Matrix<Float>, isa: ck_isa) {
    mlpInput.storage.withUnsafeBufferPointer {
      if let base = $0.baseAddress { self.mlpInput(block).store(.float(base, stride: mlpInput.columns), isa: isa) }
    }
    hidden.storage.withUnsafeBufferPointer {
      if let base = $0.baseAddress { self.hidden(block).store(.float(base, stride: hidden.columns), isa: isa) }
    }
  }

  func mlpInput(_ block: Int) -> QuantizedRows { memory[2 * block] }
  func hidden(_ block: Int) -> QuantizedRows { memory[2 * block + 1] }
}
