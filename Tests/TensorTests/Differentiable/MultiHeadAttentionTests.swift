import Tensor
import Testing

private struct AttentionProgram: DifferentiableProgram {
  let queries: Int
  let keys: Int
  let heads: Int
  let headWidth: Int
  /// Query i sees keys up to i.
  let isCausal: Bool
  var width: Int { heads * headWidth }
  var inputSizes: [Int] { [queries * width, keys * width, keys * width] }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let q = Matrix(rows: queries, columns: width, storage: inputs[0])
    let k = Matrix(rows: keys, columns: width, storage: inputs[1])
    let v = Matrix(rows: keys, columns: width, storage: inputs[2])
    let (y, saved) = MultiHeadAttention.forward(
      queries: q, keys: k, values: v, heads: heads, isVisible: isCausal ? { $1 <= $0 } : nil)
    return (
      y.storage,
      {
        let gradient = Matrix(rows: queries, columns: width, storage: $0)
        let (dQ, dK, dV) = MultiHeadAttention.backward(gradient, queries: q, keys: k, values: v, saved: saved)
        return [dQ.storage, dK.storage, dV.storage]
      }
    )
  }
}

private func normal(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
  Matrix(rows: rows, columns: columns, storage: upstream(rows * columns, seed: seed))
}

@Suite struct MultiHeadAttentionTests {
  @Test(arguments: [(1, 1, 1, 1), (3, 7, 2, 5), (5, 3, 3, 1), (13, 13, 2, 3)], [false, true])
  func gradientsAreTheDifferences(shape: (Int, Int, Int, Int), isCausal: Bool) {
    check(
      AttentionProgram(
        queries: shape.0, keys: shape.1, heads: shape.2, headWidth: shape.3, isCausal: isCausal))
  }

  /// The definition, number by number.
  @Test(arguments: [false, true])
  func outputsAreWeightedMeansOfVisibleValues(isMasked: Bool) {
    let (n, m, heads, headWidth) = (4, 5, 3, 2)
    let (q, k, v) = (normal(n, 6, seed: 1), normal(m, 6, seed: 2), normal(m, 6, seed: 3))
    let sees = { (query: Int, key: Int) in !isMasked || (query + key) % 2 == 0 }
    var expected = Matrix<Double>(rows: n, columns: 6)
    for query in 0..<n {
      for head in 0..<heads {
        let columns = head * headWidth..<(head + 1) * headWidth
        let weights = (0..<m).map { key in
          let product = columns.reduce(0) { $0 + q[query, $1] * k[key, $1] }
          return sees(query, key) ? Double.exponential(product / 2.0.squareRoot()) : 0
        }
        for column in columns {
          let sum = (0..<m).reduce(0) { $0 + weights[$1] * v[$1, column] }
          expected[query, column] = sum / weights.reduce(0, +)
        }
      }
    }
    let output = MultiHeadAttention.forward(
      queries: q, keys: k, values: v, heads: heads, isVisible: isMasked ? sees : nil
    ).output
    #expect(relativeError(output.storage, expected.storage) < 1e-14)
  }

  @Test func hiddenKeysHaveNoInfluenceAndNoGradient() {
    let q = normal(3, 4, seed: 4)
    let (k, v) = (normal(5, 4, seed: 5), normal(5, 4, seed: 6))
    var (otherK, otherV) = (k, v)
    for column in 0..<4 {
      otherK[2, column] = 99
      otherV[2, column] = -99
    }
    let sees = { (_: Int, key: Int) in key != 2 }
    let (output, saved) = MultiHeadAttention.forward(queries: q, keys: k, values: v, heads: 2, isVisible: sees)
    let other = MultiHeadAttention.forward(queries: q, keys: otherK, values: otherV, heads: 2, isVisible: sees).output
    #expect(output == other)
    let gradients = MultiHeadAttention.backward(normal(3, 4, seed: 7), queries: q, keys: k, values: v, saved: saved)
    #expect(gradients.keys.row(2) == [0, 0, 0, 0] && gradients.values.row(2) == [0, 0, 0, 0])
  }

  @Test func aQueryThatSeesNothingGetsZerosAndNoGradient() {
    let (q, k) = (normal(3, 2, seed: 8), normal(2, 2, seed: 9))
    let (output, saved) = MultiHeadAttention.forward(
      queries: q, keys: k, values: k, heads: 1, isVisible: { query, _ in query != 1 })
    #expect(output.row(1) == [0, 0])
    let gradients = MultiHeadAttention.backward(normal(3, 2, seed: 7), queries: q, keys: k, values: k, saved: saved)
    #expect(gradients.queries.row(1) == [0, 0])
    #expect(!gradients.keys.storage.contains { !$0.isFinite })
  }
}
