internal import CKernels
internal import Tensor

/// What an expert reads of one image: the backbone's heads, and the slices of all earlier experts, oldest first.
package struct ExpertSource: Sendable {
  package let heads: FrozenHeads
  package let earlier: [ExpertSlices]

  package init(heads: FrozenHeads, earlier: [ExpertSlices] = []) {
    self.heads = heads
    self.earlier = earlier
  }

  func fits(_ shape: ExpertShape) -> Bool {
    earlier.allSatisfy {
      $0.shape.blocks == shape.blocks && $0.shape.tokens == shape.tokens && $0.shape.headWidth == shape.headWidth
        && $0.shape.hiddenWidth == shape.hiddenWidth
    }
      && earlier.reduce(0) { $0 + $1.shape.heads } == shape.earlierHeads
  }
}

extension [ExpertSource] {
  /// What the first block's input was after its LayerNorm, `[images * tokens, width]`.
  func input(_ shape: ExpertShape, isa: ck_isa) -> Matrix<Float> {
    read(rows: shape.tokens, widths: [shape.width], isa: isa) { [$0.heads.input] }
  }

  /// The backbone's features, `[images, backboneFeatureWidth]`.
  func features(_ shape: ExpertShape, isa: ck_isa) -> Matrix<Float> {
    read(rows: 1, widths: [shape.backboneFeatureWidth], isa: isa) { [$0.heads.feature] }
  }

  /// What a block's task attentions read besides the expert's own heads: the backbone's, then every earlier expert's.
  func old(_ shape: ExpertShape, block: Int, isa: ck_isa) -> ExpertBlock.Old {
    let heads = [shape.backboneHeads] + (first?.earlier.map(\.shape.heads) ?? [])
    return ExpertBlock.Old(
      mlpInput: {
        read(rows: shape.rows(block), widths: heads.map { $0 * shape.headWidth }, isa: isa) { image in
          [image.heads.mlpInput(block)] + image.earlier.map { $0.mlpInput(block) }
        }
      },
      hidden: {
        read(rows: shape.rows(block), widths: heads.map { $0 * shape.hiddenWidth }, isa: isa) { image in
          [image.heads.hidden(block)] + image.earlier.map { $0.hidden(block) }
        }
      })
  }

  /// Rows of all images as floats, parts of the given widths side by side; zeros where a part is narrower.
  private func read(
    rows: Int, widths: [Int], isa: ck_isa, _ parts: (ExpertSource) -> [QuantizedRows]
  ) -> Matrix<Float> {
    let columns = widths.reduce(0, +)
    let size = count * rows * columns
    let storage = [Float](unsafeUninitializedCapacity: size) { out, written in
      guard let out = out.baseAddress else { return }
      for (index, image) in enumerated() {
        var column = index * rows * columns
        for (part, width) in zip(parts(image), widths) {
          if part.shape.width < width {
            for row in 0..<rows { (out + column + row * columns).initialize(repeating: 0, count: width) }
          }
          part.read(into: out + column, stride: columns, isa: isa)
          column += width
        }
      }
      written = size
    }
    return Matrix(rows: count * rows, columns: columns, storage: storage)
  }
}
