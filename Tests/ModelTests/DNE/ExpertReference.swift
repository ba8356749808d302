import CLModels
import Foundation

/// An expert's feature by its equations, number by number in double precision, from the bytes that would be in a file.
struct ExpertReference {
  typealias Rows = [[Double]]

  let shape: ExpertShape
  let flat: [Double]
  let activation: (Double) -> Double

  init(_ expert: Expert, isQuickGELU: Bool) {
    shape = expert.shape
    flat = expert.flat.map(Double.init)
    activation = { x in isQuickGELU ? x / (1 + exp(-1.702 * x)) : x / 2 * erfc(-x / 2.0.squareRoot()) }
  }

  func feature(_ heads: FrozenHeads, earlier: [ExpertSlices]) -> [Double] {
    let ranges = shape.ranges
    var backbone = Reader(bytes: heads.withBytes { Array($0) })
    var others = earlier.map { Reader(bytes: $0.withBytes { Array($0) }) }
    var x = linear(backbone.read(rows: shape.tokens, width: shape.width), ranges.input)
    var patches: Rows = []
    for (index, block) in ranges.blocks.enumerated() {
      let isLast = index == shape.blocks - 1
      if isLast { patches = norm(x, ranges.patchNorm) }
      let rows = isLast ? 1 : shape.tokens
      let normalized = norm(x, block.norm1)
      let attended = attention(
        product(normalized, block.query), product(normalized, block.key), product(normalized, block.value))
      x = zip(x, linear(attended, block.attentionOutput)).prefix(rows).map { sum($0, $1) }
      let y = norm(x, block.norm2)
      var inputs = backbone.read(rows: rows, width: shape.width)
      var hiddens = backbone.read(rows: rows, width: shape.mlpWidth)
      for row in 0..<rows {
        hiddens[row] += [Double](
          repeating: 0, count: shape.backboneHeads * shape.hiddenWidth - shape.mlpWidth)
      }
      for (other, slices) in earlier.enumerated() {
        let input = others[other].read(rows: rows, width: slices.shape.heads * shape.headWidth)
        let hidden = others[other].read(rows: rows, width: slices.shape.heads * shape.hiddenWidth)
        for row in 0..<rows {
          inputs[row] += input[row]
          hiddens[row] += hidden[row]
        }
      }
      let h = mixing(inputs, y, block.up, shape.headWidth, shape.hiddenWidth).map { $0.map(activation) }
      x = zip(x, mixing(hiddens, h, block.down, shape.hiddenWidth, shape.headWidth)).map { sum($0, $1) }
    }
    let own = patches.suffix(shape.patches)
    let mean = (0..<shape.sliceWidth).map { column in own.reduce(0) { $0 + $1[column] } / Double(own.count) }
    let summary = norm(x, ranges.classNorm)[0] + mean
    guard let correction = ranges.correction else { return summary }
    let length = Double(shape.featureWidth).squareRoot()
    let start = backbone.read(rows: 1, width: shape.featureWidth)[0].map { $0 * length }
    return sum(start, linear([summary.map { $0 * 3.5 }], correction)[0])
  }

  private func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
  private func dot(_ a: some Sequence<Double>, _ b: some Sequence<Double>) -> Double {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// x W^T, W `[outputs, inputs]`.
  private func product(_ x: Rows, _ weights: Range<Int>) -> Rows {
    let inputs = x[0].count
    return x.map { row in
      stride(from: weights.lowerBound, to: weights.upperBound, by: inputs).map { dot(row, flat[$0..<$0 + inputs]) }
    }
  }

  private func linear(_ x: Rows, _ ranges: ExpertRanges.Linear) -> Rows {
    product(x, ranges.weights).map { sum($0, Array(flat[ranges.bias])) }
  }

  private func norm(_ x: Rows, _ ranges: ExpertRanges.Norm) -> Rows {
    x.map { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let centred = row.map { $0 - mean }
      let variance = dot(centred, centred) / Double(row.count)
      let deviation: Double = (variance + 1e-5).squareRoot()
      return row.indices.map { (column: Int) -> Double in
        let gain = flat[ranges.gain.lowerBound + column]
        let bias = flat[ranges.bias.lowerBound + column]
        return centred[column] / deviation * gain + bias
      }
    }
  }

  private func softmax(_ scores: [Double]) -> [Double] {
    let exponentials = scores.map { exp($0 - (scores.max() ?? 0)) }
    return exponentials.map { $0 / exponentials.reduce(0, +) }
  }

  private func attention(_ queries: Rows, _ keys: Rows, _ values: Rows) -> Rows {
    queries.map { query in
      (0..<shape.heads).flatMap { head -> [Double] in
        let columns = head * shape.headWidth..<(head + 1) * shape.headWidth
        let root = Double(shape.headWidth).squareRoot()
        let weights = softmax(keys.map { dot(query[columns], $0[columns]) / root })
        return columns.map { column in dot(weights, values.map { $0[column] }) }
      }
    }
  }

  private func mixing(_ old: Rows, _ new: Rows, _ ranges: ExpertRanges.Mixing, _ inputs: Int, _ outputs: Int) -> Rows {
    zip(old, new).map { old, new in
      let all = old + new
      let heads = all.count / inputs
      let x = (0..<heads).map { Array(all[$0 * inputs..<($0 + 1) * inputs]) }
      let keys = product(x, ranges.key)
      return (heads - shape.heads..<heads).flatMap { head -> [Double] in
        let query = product([x[head]], ranges.query)[0]
        let root = Double(inputs).squareRoot()
        let weights = softmax(keys.map { dot(query, $0) / root })
        return (0..<outputs).map { (output: Int) -> Double in
          let start = ranges.values.lowerBound + output * heads * inputs
          let values = (0..<heads).map { (j: Int) -> Double in
            let weights = flat[start + j * inputs..<start + (j + 1) * inputs]
            return dot(weights, x[j]) + flat[ranges.biases.lowerBound + j * outputs + output]
          }
          return flat[ranges.scale.lowerBound] * dot(weights, values)
        }
      }
    }
  }

  /// Reads quantized rows one matrix after the other: the bytes of rows a multiple of 4 apart, then a scale and then a
  /// zero a row, each of the three filled up to a multiple of 64 bytes.
  private struct Reader {
    let bytes: [UInt8]
    var place = 0

    mutating func read(rows: Int, width: Int) -> Rows {
      func filled(_ count: Int, _ unit: Int) -> Int { (count + unit - 1) / unit * unit }
      let stride = filled(width, 4)
      let scales = place + filled(rows * stride, 64)
      let zeros = scales + filled(rows * 4, 64)
      let result = bytes.withUnsafeBytes { memory in
        (0..<rows).map { row in
          let scale = memory.loadUnaligned(fromByteOffset: scales + 4 * row, as: Float.self)
          let zero = memory.loadUnaligned(fromByteOffset: zeros + 4 * row, as: Int32.self)
          return (0..<width).map { Double(scale) * Double(Int32(memory[place + row * stride + $0]) - zero) }
        }
      }
      place = zeros + filled(rows * 4, 64)
      return result
    }
  }
}
