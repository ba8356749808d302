import Tensor
import Testing

private struct GatedAttentionProgram: DifferentiableProgram {
  let images: Int
  let queries: Int
  let keys: Int
  let heads: Int
  let headWidth: Int
  var further = 0
  var hasPositions = true
  var width: Int { heads * headWidth }
  var inputSizes: [Int] {
    [
      images * queries * width, images * keys * width, images * keys * width, images * further * headWidth,
      images * further * headWidth, heads * 3, heads,
    ]
  }

  func run<Scalar: KernelScalar>(_ numbers: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    func rows(_ index: Int, _ count: Int, _ columns: Int) -> Matrix<Scalar> {
      Matrix(rows: count, columns: columns, storage: numbers[index])
    }
    let inputs = GatedAttention.Inputs(
      queries: rows(0, images * queries, width), keys: rows(1, images * keys, width),
      values: rows(2, images * keys, width),
      further: further == 0 ? nil : (rows(3, images * further, headWidth), rows(4, images * further, headWidth)))
    let positions = hasPositions ? GatedAttention.Positions(weights: rows(5, heads, 3), gates: numbers[6]) : nil
    let pairs = Matrix(
      rows: queries * keys, columns: 3, storage: upstream(queries * keys * 3, seed: 31).map { Scalar($0) })
    let (y, saved) = GatedAttention.forward(
      inputs, images: images, heads: heads, positions: positions, pairs: pairs)
    return (
      y.storage,
      {
        let back = GatedAttention.backward(
          Matrix(rows: y.rows, columns: y.columns, storage: $0), inputs: inputs, images: images, heads: heads,
          positions: positions, pairs: pairs, saved: saved)
        return [
          back.inputs.queries.storage, back.inputs.keys.storage, back.inputs.values.storage,
          back.inputs.further?.keys.storage ?? [], back.inputs.further?.values.storage ?? [],
          back.positions?.weights.storage ?? numbers[5].map { _ in 0 },
          back.positions?.gates ?? numbers[6].map { _ in 0 },
        ]
      }
    )
  }
}

private func normal(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
  Matrix(rows: rows, columns: columns, storage: upstream(rows * columns, seed: seed))
}

@Suite struct GatedAttentionTests {
  @Test(arguments: [(1, 1, 1, 1, 1), (2, 3, 3, 2, 5), (3, 5, 5, 3, 1), (2, 1, 7, 2, 3)], [0, 4])
  func gradientsAreTheDifferences(shape: (Int, Int, Int, Int, Int), further: Int) {
    for hasPositions in [true, false] {
      check(
        GatedAttentionProgram(
          images: shape.0, queries: shape.1, keys: shape.2, heads: shape.3, headWidth: shape.4, further: further,
          hasPositions: hasPositions))
    }
  }

  /// Two images in one call, each as `MultiHeadAttention` computes it.
  @Test func withoutPositionsItIsAttentionImageByImage() {
    let (q, k, v) = (normal(6, 4, seed: 1), normal(10, 4, seed: 2), normal(10, 4, seed: 3))
    let output = GatedAttention.forward(.init(queries: q, keys: k, values: v), images: 2, heads: 2).output
    for image in 0..<2 {
      let (queries, keys) = (3 * image..<3 * image + 3, 5 * image..<5 * image + 5)
      let expected = MultiHeadAttention.forward(
        queries: q.selectingRows(queries), keys: k.selectingRows(keys), values: v.selectingRows(keys), heads: 2
      ).output
      #expect(relativeError(output.selectingRows(queries).storage, expected.storage) < 1e-14)
    }
  }

  /// Far above 0 a gate leaves positions only: with weights that are all alike, the mean of the values.
  @Test func anOpenGateLooksAtPositionsOnly() {
    let (q, k, v) = (normal(4, 3, seed: 4), normal(4, 3, seed: 5), normal(4, 3, seed: 6))
    let (output, saved) = GatedAttention.forward(
      .init(queries: q, keys: k, values: v), images: 1, heads: 1,
      positions: .init(weights: Matrix(rows: 1, columns: 3), gates: [50]), pairs: normal(16, 3, seed: 7))
    #expect(relativeError(saved.weights.storage, [Double](repeating: 0.25, count: 16)) < 1e-14)
    let means = v.columnSums().map { $0 / 4 }
    for row in 0..<4 { #expect(relativeError(Array(output.row(row)), means) < 1e-14) }
  }

  @Test func weightsSumToOne() {
    let inputs = GatedAttention.Inputs(
      queries: normal(6, 4, seed: 8), keys: normal(6, 4, seed: 9), values: normal(6, 4, seed: 10),
      further: (normal(10, 2, seed: 11), normal(10, 2, seed: 12)))
    let saved = GatedAttention.forward(
      inputs, images: 2, heads: 2, positions: .init(weights: normal(2, 3, seed: 13), gates: [0.3, -2]),
      pairs: normal(9, 3, seed: 14)
    ).saved
    for row in 0..<saved.weights.rows { #expect(abs(saved.weights.row(row).reduce(0, +) - 1) < 1e-14) }
  }
}
