import CKernels
import Foundation

/// Rows that read frozen tokens and each other: by a kernel, and by the formula in double precision.
struct PromptAttentionCase {
  let frozen: FrozenBlock
  let earlier: FrozenBlock
  let first: [Int32]
  let last: [Int32]
  let readsEarlier: [UInt8]
  /// `[rows, 3 * width]`.
  let projections: [Float]
  /// `[rows, width]`, of the output.
  let gradient: [Float]

  var heads: Int { frozen.heads }
  var headWidth: Int { frozen.headWidth }
  var width: Int { heads * headWidth }
  var rows: Int { first.count }
  var stride: Int {
    Int(ck_prompt_weights_stride(Int32(frozen.tokens), Int32(earlier.tokens), Int32(rows)))
  }
  var rowsStart: Int { frozen.padded + earlier.padded }

  /// groups: for each row, the rows it reads and whether it reads the earlier tokens.
  init(
    tokens: Int, earlier: Int, heads: Int, headWidth: Int, rows: [(reads: Range<Int>, readsEarlier: Bool)],
    seed: UInt64 = 1, scale: Float = 1.5
  ) {
    var generator = TestGenerator(seed: seed &+ 100)
    let width = heads * headWidth
    self.init(
      frozen: FrozenBlock(tokens: tokens, heads: heads, headWidth: headWidth, seed: seed, scale: scale),
      earlier: FrozenBlock(tokens: earlier, heads: heads, headWidth: headWidth, seed: seed &+ 50, scale: scale),
      rows: rows, projections: generator.gaussians(rows.count * 3 * width, scale: scale),
      gradient: generator.gaussians(rows.count * width))
  }

  init(
    frozen: FrozenBlock, earlier: FrozenBlock, rows: [(reads: Range<Int>, readsEarlier: Bool)], projections: [Float],
    gradient: [Float]
  ) {
    self.frozen = frozen
    self.earlier = earlier
    first = rows.map { Int32($0.reads.lowerBound) }
    last = rows.map { Int32($0.reads.upperBound) }
    readsEarlier = rows.map { $0.readsEarlier ? 1 : 0 }
    self.projections = projections
    self.gradient = gradient
  }

  private func withShape(_ body: (UnsafePointer<ck_prompt_rows>) -> Void) {
    withUnsafePointer(to: frozen.kernel) { frozen in
      withUnsafePointer(to: earlier.kernel) { earlier in
        first.withUnsafeBufferPointer { first in
          last.withUnsafeBufferPointer { last in
            readsEarlier.withUnsafeBufferPointer { readsEarlier in
              var shape = ck_prompt_rows(
                rows: Int32(rows), heads: Int32(heads), head_width: Int32(headWidth), frozen: frozen, earlier: earlier,
                first: first.baseAddress, last: last.baseAddress, reads_earlier: readsEarlier.baseAddress)
              body(&shape)
            }
          }
        }
      }
    }
  }

  /// weights: `[rows][heads][stride]`; out: `[rows, width]`.
  func forward(_ isa: ck_isa) -> (weights: [Float], out: [Float]) {
    var weights = [Float](repeating: 99, count: rows * heads * stride)
    var out = [Float](repeating: 99, count: rows * width)
    withShape { ck_prompt_attention(isa, $0, projections, &weights, &out) }
    return (weights, out)
  }

  /// The gradient of the projections.
  func backward(_ isa: ck_isa) -> [Float] {
    var result = [Float](repeating: 99, count: projections.count)
    var scratch = [Float](repeating: 99, count: stride)
    let weights = forward(isa).weights
    withShape { ck_prompt_attention_backward(isa, $0, projections, weights, gradient, &result, &scratch) }
    return result
  }

  // MARK: The formula

  /// Where in a row's weights what it reads is, and the key and value read there.
  private func sources(row: Int) -> [(place: Int, row: Int?)] {
    (0..<frozen.tokens).map { ($0, nil) }
      + (readsEarlier[row] == 1 ? (0..<earlier.tokens).map { (frozen.padded + $0, nil) } : [])
      + (Int(first[row])..<Int(last[row])).map { (rowsStart + $0, $0) }
  }

  private func number(_ projections: [Double], row: Int, part: Int, _ head: Int, _ index: Int) -> Double {
    projections[row * 3 * width + part * width + head * headWidth + index]
  }

  /// Of the key (part 1) or the value (part 2) at a place.
  private func read(
    _ source: (place: Int, row: Int?), part: Int, _ head: Int, _ index: Int, _ projections: [Double]
  ) -> Double {
    if let row = source.row { return number(projections, row: row, part: part, head, index) }
    let (block, token) =
      source.place < frozen.padded ? (frozen, source.place) : (earlier, source.place - frozen.padded)
    return part == 1 ? block.key(head, token, index) : block.value(head, token, index)
  }

  /// One row and head: weights `[stride]`, what is not read 0, and out `[headWidth]`.
  private func reference(row: Int, head: Int, _ projections: [Double]) -> (weights: [Double], out: [Double]) {
    let sources = sources(row: row)
    let scores = sources.map { source in
      (0..<headWidth).reduce(0.0) {
        $0 + number(projections, row: row, part: 0, head, $1) * read(source, part: 1, head, $1, projections)
      } / Double(headWidth).squareRoot()
    }
    let highest = scores.max() ?? 0
    let powers = scores.map { exp($0 - highest) }
    let total = powers.reduce(0, +)
    var weights = [Double](repeating: 0, count: stride)
    var out = [Double](repeating: 0, count: headWidth)
    for (source, power) in zip(sources, powers) {
      weights[source.place] = power / total
      for index in 0..<headWidth { out[index] += power / total * read(source, part: 2, head, index, projections) }
    }
    return (weights, out)
  }

  func reference() -> (weights: [Double], out: [Double]) {
    let projections = projections.map(Double.init)
    var weights: [Double] = []
    var out: [Double] = []
    for row in 0..<rows {
      for head in 0..<heads {
        let one = reference(row: row, head: head, projections)
        weights += one.weights
        out += one.out
      }
    }
    return (weights, out)
  }

  /// The gradient of the projections by central differences of the formula. Heads do not read each other.
  func differences(width step: Double = 1e-5) -> [Double] {
    var moved = projections.map(Double.init)
    func loss(_ head: Int) -> Double {
      (0..<rows).reduce(0.0) { sum, row in
        let out = reference(row: row, head: head, moved).out
        return (0..<headWidth).reduce(sum) {
          $0 + Double(gradient[row * width + head * headWidth + $1]) * out[$1]
        }
      }
    }
    return moved.indices.map { index in
      let head = index % width / headWidth
      let original = moved[index]
      moved[index] = original + step
      let above = loss(head)
      moved[index] = original - step
      defer { moved[index] = original }
      return (above - loss(head)) / (2 * step)
    }
  }
}
