internal import CKernels

/// What experts over the last blocks of a backbone read of an image, as bytes in one piece of memory that can be
/// written to a file and read back: the first of these blocks' input after its LayerNorm, `[tokens, width]`; and of
/// every one of them what its MLP reads, `[rows, width]`, and the MLP's hidden after the activation, `[rows,
/// mlpWidth]`. Rows are all tokens, in the last block the class token alone: the backbone computes no more there. Last
/// comes the backbone's feature, `[1, featureWidth]`, rounded like the rest.
///
/// In int8 all but the feature are the very bytes that the backbone's own products read. Written by the thread that
/// makes it; immutable from then on.
package final class FrozenHeads: FrozenBytes {
  /// How many numbers of what there are.
  package struct Shape: FrozenShape {
    package let blocks: Int
    package let tokens: Int
    package let width: Int
    package let mlpWidth: Int
    package let featureWidth: Int

    package init(blocks: Int, tokens: Int, width: Int, mlpWidth: Int, featureWidth: Int) {
      precondition(blocks > 0, "experts read a block")
      self.blocks = blocks
      self.tokens = tokens
      self.width = width
      self.mlpWidth = mlpWidth
      self.featureWidth = featureWidth
    }

    fileprivate var rows: [QuantizedRows.Shape] {
      [QuantizedRows.Shape(rows: tokens, width: width)]
        + QuantizedRows.shapes(blocks: blocks, tokens: tokens, widths: [width, mlpWidth])
        + [QuantizedRows.Shape(rows: 1, width: featureWidth)]
    }

    /// Bytes of all of it: 1.25 MB for four blocks of ViT-B/16 at 160 pixels.
    package var byteCount: Int { QuantizedMemory.byteCount(rows) }
  }

  package let shape: Shape
  private let memory: QuantizedMemory

  /// Room for one image's. Traps when memory is out, as Swift itself does.
  package init(shape: Shape) {
    self.shape = shape
    memory = QuantizedMemory(shape.rows)
  }

  /// Heads that were written out: `fill` puts `shape.byteCount` bytes into the memory it is given, and says whether it
  /// could.
  package convenience init?(shape: Shape, fill: (UnsafeMutableRawBufferPointer) -> Bool) {
    self.init(shape: shape)
    guard fill(memory.bytes) else { return nil }
  }

  /// All of it, for writing out.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(memory.bytes))
  }

  /// Keeps what a product of a block reads, if experts do; block 0 is the first one that is kept. rows: of one image.
  func freeze(block: Int, _ product: TransformerBlock.Product, _ rows: KernelRows, isa: ck_isa) {
    guard (0..<shape.blocks).contains(block) else { return }
    switch product {
    case .projections:
      if block == 0 { input.store(rows, isa: isa) }
    case .mlpUp: mlpInput(block).store(rows, isa: isa)
    case .mlpDown: hidden(block).store(rows, isa: isa)
    }
  }

  /// Keeps the image's feature.
  func freeze(feature: [Float], isa: ck_isa) {
    precondition(feature.count == shape.featureWidth, "a feature of this backbone")
    feature.withUnsafeBufferPointer {
      if let base = $0.baseAddress { self.feature.store(.float(base, stride: shape.featureWidth), isa: isa) }
    }
  }

  var input: QuantizedRows { memory[0] }
  func mlpInput(_ block: Int) -> QuantizedRows { memory[1 + 2 * block] }
  func hidden(_ block: Int) -> QuantizedRows { memory[2 + 2 * block] }
  var feature: QuantizedRows { memory[1 + 2 * shape.blocks] }
}

extension QuantizedRows {
  /// Rows of every block, one shape a width: of all tokens, in the last block of the class token.
  static func shapes(blocks: Int, tokens: Int, widths: [Int]) -> [Shape] {
    (1...blocks).flatMap { block in widths.map { Shape(rows: block == blocks ? 1 : tokens, width: $0) } }
  }
}
