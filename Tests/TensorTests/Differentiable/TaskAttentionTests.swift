import CKernels
import Tensor
import Testing

private struct TaskAttentionProgram: DifferentiableProgram {
  let rows: Int
  let oldHeads: Int
  let newHeads: Int
  let inputWidth: Int
  let outputWidth: Int
  var heads: Int { oldHeads + newHeads }

  var inputSizes: [Int] {
    [
      rows * newHeads * inputWidth, inputWidth * inputWidth, inputWidth * inputWidth,
      outputWidth * heads * inputWidth, heads * outputWidth, 1,
    ]
  }

  func run<Scalar: KernelScalar>(_ inputs: [[Scalar]]) -> (output: [Scalar], pullBack: ([Scalar]) -> [[Scalar]]) {
    let old = Matrix(
      rows: rows, columns: oldHeads * inputWidth,
      storage: upstream(rows * oldHeads * inputWidth, seed: 7).map { Scalar($0) })
    let new = Matrix(rows: rows, columns: newHeads * inputWidth, storage: inputs[0])
    let parameters = TaskAttention.Parameters(
      query: Matrix(rows: inputWidth, columns: inputWidth, storage: inputs[1]),
      key: Matrix(rows: inputWidth, columns: inputWidth, storage: inputs[2]),
      values: Matrix(rows: outputWidth, columns: heads * inputWidth, storage: inputs[3]),
      biases: Matrix(rows: heads, columns: outputWidth, storage: inputs[4]), scale: inputs[5][0])
    let (y, saved) = TaskAttention.forward(old: old, new: new, parameters: parameters)
    return (
      y.storage,
      {
        let gradient = Matrix(rows: rows, columns: newHeads * outputWidth, storage: $0)
        let (dx, d) = TaskAttention.backward(gradient, old: old, new: new, parameters: parameters, saved: saved)
        return [dx.storage, d.query.storage, d.key.storage, d.values.storage, d.biases.storage, [d.scale]]
      }
    )
  }
}

private func normal(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Double> {
  Matrix(rows: rows, columns: columns, storage: upstream(rows * columns, seed: seed))
}

@Suite struct TaskAttentionTests {
  @Test(arguments: [(1, 0, 1, 1, 1), (3, 2, 1, 5, 3), (5, 3, 2, 3, 7), (2, 1, 4, 4, 2)])
  func gradientsAreTheDifferences(shape: (Int, Int, Int, Int, Int)) {
    check(
      TaskAttentionProgram(
        rows: shape.0, oldHeads: shape.1, newHeads: shape.2, inputWidth: shape.3, outputWidth: shape.4))
  }

  /// The equations, number by number.
  @Test func outputsAreWeightedSumsOfTheHeadsValues() {
    let (rows, oldHeads, newHeads, width, out) = (3, 2, 2, 3, 4)
    let heads = oldHeads + newHeads
    let (old, new) = (normal(rows, oldHeads * width, seed: 1), normal(rows, newHeads * width, seed: 2))
    let p = TaskAttention.Parameters(
      query: normal(width, width, seed: 3), key: normal(width, width, seed: 4),
      values: normal(out, heads * width, seed: 5), biases: normal(heads, out, seed: 6), scale: 2.5)
    let output = TaskAttention.forward(old: old, new: new, parameters: p).output
    for row in 0..<rows {
      let x = (Array(old.row(row)) + Array(new.row(row)))
      func head(_ j: Int) -> [Double] { Array(x[j * width..<(j + 1) * width]) }
      func times(_ w: Matrix<Double>, _ v: [Double]) -> [Double] {
        (0..<w.rows).map { r in (0..<v.count).reduce(0) { $0 + w[r, $1] * v[$1] } }
      }
      for n in 0..<newHeads {
        let q = times(p.query, head(oldHeads + n))
        let scores = (0..<heads).map { j in
          zip(q, times(p.key, head(j))).reduce(0) { $0 + $1.0 * $1.1 } / Double(width).squareRoot()
        }
        let exponentials = scores.map(Double.exponential)
        let total = exponentials.reduce(0, +)
        for column in 0..<out {
          var expected = 0.0
          for j in 0..<heads {
            let value = (0..<width).reduce(p.biases[j, column]) { $0 + p.values[column, j * width + $1] * head(j)[$1] }
            expected += p.scale * exponentials[j] / total * value
          }
          #expect(abs(output[row, n * out + column] - expected) < 1e-12)
        }
      }
    }
  }

  /// Without queries the attention is uniform, lambda / heads.
  @Test func uniformAttentionIsLambdaTimesTheMeanOfTheValues() {
    let (oldHeads, newHeads, width, out) = (3, 2, 4, 5)
    let heads = oldHeads + newHeads
    let (old, new) = (normal(2, oldHeads * width, seed: 1), normal(2, newHeads * width, seed: 2))
    let p = TaskAttention.Parameters(
      query: Matrix(rows: width, columns: width), key: normal(width, width, seed: 4),
      values: normal(out, heads * width, seed: 5), biases: normal(heads, out, seed: 6), scale: Double(oldHeads))
    let output = TaskAttention.forward(old: old, new: new, parameters: p).output
    for row in 0..<2 {
      let x = Matrix(rows: 1, columns: heads * width, storage: Array(old.row(row)) + Array(new.row(row)))
      let sum = x.timesTransposed(p.values)
      for n in 0..<newHeads {
        for column in 0..<out {
          let biases = (0..<heads).reduce(0) { $0 + p.biases[$1, column] }
          let expected = Double(oldHeads) / Double(heads) * (sum[0, column] + biases)
          #expect(abs(output[row, n * out + column] - expected) < 1e-12)
        }
      }
    }
  }

  /// The loops over heads, every variant against the scalar one, at widths that are no multiple of a vector.
  @Test(arguments: [CK_ISA_AVX2, CK_ISA_AVX512].filter { ck_isa_supported($0) }.map(\.rawValue), [1, 7, 32, 61])
  func loopsOverHeadsAreAlikeInEveryVariant(isa: UInt32, width: Int) {
    let (rows, heads) = (3, 5)
    let x = upstream(rows * heads * width, seed: 1).map(Float.init)
    let u = upstream(rows * width, seed: 2).map(Float.init)
    let factors = upstream(rows * heads, seed: 3).map(Float.init)
    func run(_ isa: ck_isa) -> [[Float]] {
      let (r, h, w, stride) = (Int32(rows), Int32(heads), Int32(width), Int32(heads * width))
      var scores = factors
      var sum = u
      var scaled = x
      ck_head_scores_f32(isa, r, h, w, u, w, x, stride, &scores, h)
      ck_scale_heads_f32(isa, r, h, w, factors, h, x, stride, &scaled, stride)
      ck_sum_heads_f32(isa, r, h, w, factors, h, x, stride, &sum, w)
      return [scores, scaled, sum]
    }
    for (one, other) in zip(run(ck_isa(isa)), run(CK_ISA_SCALAR)) {
      #expect(relativeError(one.map(Double.init), other.map(Double.init)) < 1e-5)
    }
  }
}
