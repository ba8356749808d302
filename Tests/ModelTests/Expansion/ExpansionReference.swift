import CLModels
import Foundation
import Tensor

/// What a network that grows says of images by its equations, number by number in double precision, from its parameters
/// by name: slices and task attention as in Hu et al. 2023, the gates as in d'Ascoli et al. 2021, the class token as in
/// Touvron et al. 2021.
struct ExpansionReference {
  typealias Rows = [[Double]]

  let network: ExpandingNetwork<Double>

  /// The class token of each image, its slices side by side. Patches are `[images * tokens, patch inputs]`.
  func tokens(_ patches: Matrix<Double>) -> Rows {
    let count = network.shape.tokens
    let all = Self.rows(patches)
    return (0..<all.count / count).map { image -> [Double] in
      let own = Array(all[image * count..<(image + 1) * count])
      var token: [Double] = []
      var older: [[BlockReading]] = []
      for slice in network.slices {
        let result = SliceReference(shape: slice.shape, parameters: slice.parameters).token(own, older: older)
        token += result.token
        older.append(result.readings)
      }
      return token
    }
  }

  /// Of one class token, all tasks' classes side by side: each task has a LayerNorm and a linear map of all of it.
  static func logits(_ heads: ClassifierHeads<Double>, _ token: [Double]) -> [Double] {
    heads.classes.indices.flatMap { task -> [Double] in
      let name = "head\(task)"
      let read = normalize(
        token, gain: heads.parameters.vector(name + ".gain"), bias: heads.parameters.vector(name + ".shift"))
      let weights = rows(heads.parameters.matrix(name + ".weights"))
      return zip(weights, heads.parameters.vector(name + ".biases")).map { dot($0, read) + $1 }
    }
  }

  static func rows(_ matrix: Matrix<Double>) -> Rows { (0..<matrix.rows).map { Array(matrix.row($0)) } }
}

/// What one slice's block gives later slices to read of one image, a row a token.
private struct BlockReading {
  /// What its attention is over, normalized.
  let attended: ExpansionReference.Rows
  /// What goes into the first and into the second layer of the feature mixing.
  let mixed: ExpansionReference.Rows
  let hidden: ExpansionReference.Rows
}

/// One slice, of one image.
private struct SliceReference {
  typealias Rows = ExpansionReference.Rows

  let shape: SliceShape
  let parameters: ParameterVector<Double>

  private var headWidth: Int { shape.network.headWidth }
  private var hiddenWidth: Int { shape.network.headWidth * shape.network.expansionRatio }

  /// The class token's slice; readings are block after block, the class-attention block last, those of older slices a
  /// list a slice.
  func token(_ patches: Rows, older: [[BlockReading]]) -> (token: [Double], readings: [BlockReading]) {
    let embedded = linear(patches, "patch.weights", "patch.bias")
    var x = zip(embedded, matrix("positions")).map { added($0, $1) }
    var readings: [BlockReading] = []
    let blocks = shape.network.spatialBlocks
    for index in 0..<blocks {
      let result = pass("block\(index)", x, older: older.map { $0[index] }, isSpatial: true)
      x = result.output
      readings.append(result.reading)
    }
    let joined = [vector("class.token")] + x
    let last = pass("class", joined, older: older.map { $0[blocks] }, isSpatial: false)
    return (last.output[0], readings + [last.reading])
  }

  /// y = x + attention(norm(x)), then y + mixing(norm(y)): of all tokens, or of the first one, the class token, alone.
  private func pass(
    _ name: String, _ x: Rows, older: [BlockReading], isSpatial: Bool
  ) -> (output: Rows, reading: BlockReading) {
    let attended = normalized(x, name + ".attentionNorm")
    let heard = attention(attended, older: older.map(\.attended), name + ".attention", isSpatial: isSpatial)
    let y = zip(x, heard).map { added($0, $1) }
    let mixed = normalized(y, name + ".mixingNorm")
    let before = mixing(
      mixed, older: older.map(\.mixed), name + ".mixing.first", inputs: headWidth, outputs: hiddenWidth)
    let hidden = before.map { $0.map(gaussianErrorUnit) }
    let output = mixing(
      hidden, older: older.map(\.hidden), name + ".mixing.second", inputs: hiddenWidth, outputs: headWidth)
    return (
      zip(y, output).map { added($0, $1) }, BlockReading(attended: attended, mixed: mixed, hidden: hidden)
    )
  }

  // MARK: Attention

  /// Of each head: softmax(q . k / sqrt(head width)) over its own tokens' keys and, in the joint form, over the older
  /// heads at all tokens, in one softmax. In spatial blocks the weights are (1 - s) of these and s of softmax(w . r)
  /// over its own tokens, s the gate's sigmoid.
  private func attention(_ x: Rows, older: [Rows], _ name: String, isSpatial: Bool) -> Rows {
    let queries = product(isSpatial ? x : [x[0]], name + ".query")
    let keys = product(x, name + ".key")
    let values = product(x, name + ".value")
    let others = olderHeads(older, name)
    let length = Double(headWidth).squareRoot()
    let joined = queries.indices.map { query -> [Double] in
      (0..<shape.heads).flatMap { head -> [Double] in
        let columns = head * headWidth..<(head + 1) * headWidth
        let asked = queries[query][columns]
        let allKeys = keys.map { Array($0[columns]) } + others.keys
        let allValues = values.map { Array($0[columns]) } + others.values
        var weights = softmax(allKeys.map { dot(asked, $0) / length })
        if isSpatial {
          let gate = vector(name + ".gates")[head]
          let share: Double = 1 / (1 + exp(-gate))
          let looking = matrix(name + ".positions")[head]
          let local = softmax(keys.indices.map { dot(looking, offset(from: query, to: $0)) })
          for key in weights.indices {
            let near: Double = key < local.count ? local[key] : 0
            weights[key] = (1 - share) * weights[key] + share * near
          }
        }
        return (0..<headWidth).map { column in dot(weights, allValues.map { $0[column] }) }
      }
    }
    return linear(joined, name + ".projection", name + ".projectionBias")
  }

  /// Keys and values of every older head at every token, in the joint form: one map for all keys, and one a head for
  /// values.
  private func olderHeads(_ older: [Rows], _ name: String) -> (keys: Rows, values: Rows) {
    guard shape.network.path == .joint, shape.oldHeads > 0 else { return ([], []) }
    let keyMap = matrix(name + ".oldKey")
    let valueMaps = matrix(name + ".oldValues")
    var keys: Rows = []
    var values: Rows = []
    for token in older[0].indices {
      for (head, x) in pieces(older.flatMap { $0[token] }, headWidth).enumerated() {
        keys.append(keyMap.map { dot($0, x) })
        values.append((0..<headWidth).map { dot(valueMaps[head * headWidth + $0], x) })
      }
    }
    return (keys, values)
  }

  /// r: patches to the right, patches down and the square of the distance.
  private func offset(from query: Int, to key: Int) -> [Double] {
    let side = shape.network.side / shape.network.patch
    let right = Double(key % side - query % side)
    let down = Double(key / side - query / side)
    return [right, down, right * right + down * down]
  }

  // MARK: Feature mixing

  /// y_n = sum_j lambda softmax_j((W_q x_n) . (W_k x_j) / sqrt(inputs)) (V_j x_j + b_j) over old and new heads j for
  /// the new heads n; a linear map where no older head is read.
  private func mixing(_ new: Rows, older: [Rows], _ name: String, inputs: Int, outputs: Int) -> Rows {
    guard shape.network.path == .dense, shape.oldHeads > 0 else {
      return linear(new, name + ".weights", name + ".biases")
    }
    let values = matrix(name + ".values")
    let biases = matrix(name + ".biases")
    let scale = vector(name + ".scale")[0]
    let length = Double(inputs).squareRoot()
    return new.indices.map { token -> [Double] in
      let x = pieces(older.flatMap { $0[token] } + new[token], inputs)
      let queries = product(x, name + ".query")
      let keys = product(x, name + ".key")
      return (shape.oldHeads..<shape.oldHeads + shape.heads).flatMap { head -> [Double] in
        let weights = softmax(keys.map { dot(queries[head], $0) / length })
        return (0..<outputs).map { output -> Double in
          var sum = 0.0
          for other in x.indices {
            let map = values[output][other * inputs..<(other + 1) * inputs]
            sum += scale * weights[other] * (dot(map, x[other]) + biases[other][output])
          }
          return sum
        }
      }
    }
  }

  // MARK: Parameters by name

  private func vector(_ name: String) -> [Double] { parameters.vector(name) }
  private func matrix(_ name: String) -> Rows { ExpansionReference.rows(parameters.matrix(name)) }

  /// W x of every row x, W `[outputs, inputs]`.
  private func product(_ x: Rows, _ weights: String) -> Rows {
    let weights = matrix(weights)
    return x.map { row in weights.map { dot($0, row) } }
  }

  private func linear(_ x: Rows, _ weights: String, _ bias: String) -> Rows {
    product(x, weights).map { added($0, vector(bias)) }
  }

  private func normalized(_ x: Rows, _ name: String) -> Rows {
    x.map { normalize($0, gain: vector(name + ".gain"), bias: vector(name + ".bias")) }
  }
}

private func dot(_ a: some Sequence<Double>, _ b: some Sequence<Double>) -> Double {
  zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}

private func added(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

/// A row cut into heads of one width.
private func pieces(_ row: [Double], _ width: Int) -> [[Double]] {
  stride(from: 0, to: row.count, by: width).map { Array(row[$0..<$0 + width]) }
}

private func softmax(_ scores: [Double]) -> [Double] {
  let largest = scores.max() ?? 0
  let exponentials = scores.map { exp($0 - largest) }
  let sum = exponentials.reduce(0, +)
  return exponentials.map { $0 / sum }
}

private func normalize(_ row: [Double], gain: [Double], bias: [Double]) -> [Double] {
  let mean = row.reduce(0, +) / Double(row.count)
  let centred = row.map { $0 - mean }
  let variance = dot(centred, centred) / Double(row.count)
  let deviation: Double = (variance + 1e-6).squareRoot()
  return row.indices.map { (column: Int) -> Double in centred[column] / deviation * gain[column] + bias[column] }
}

/// GELU: x times the normal distribution function of x.
private func gaussianErrorUnit(_ x: Double) -> Double { x / 2 * erfc(-x / 2.0.squareRoot()) }
