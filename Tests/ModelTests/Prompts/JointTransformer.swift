import CLModels
import Foundation
import Tensor

/// The golden "vit" with prompts as it is written down: class token, patches and all prompts go through every block
/// together under a mask, in double precision. Slow, and sharing nothing with the product but the file.
///
/// Keys and values of the image are rounded to int8, a scale a head and token, where prompts read them.
struct JointTransformer {
  typealias Rows = [[Double]]

  /// What a prompt row reads of the prompt rows.
  enum Reading {
    /// Its own group; with `readsTasks` all groups before it as well.
    case groups
    /// No prompt row, not even itself.
    case nothing
  }

  private let golden: GoldenBackbone
  private let tensors: [String: [Double]]
  private let heads = 3
  private let blocks = 2
  private let patch = 8

  init(_ golden: GoldenBackbone) throws {
    precondition(golden.name == "vit", "the names are those of one checkpoint")
    self.golden = golden
    let header = try golden.weights.withBytes { bytes throws(SafetensorsError) in try SafetensorsHeader(file: bytes) }
    var tensors: [String: [Double]] = [:]
    for name in header.tensors.keys { tensors[name] = try golden.floats(name).map(Double.init) }
    self.tensors = tensors
  }

  private func tensor(_ name: String) -> [Double] { tensors[name] ?? [] }

  private func linear(_ rows: Rows, _ name: String) -> Rows {
    let weights = tensor(name + ".weight")
    let bias = tensor(name + ".bias")
    return rows.map { row in
      bias.indices.map { output in
        row.indices.reduce(bias[output]) { $0 + weights[output * row.count + $1] * row[$1] }
      }
    }
  }

  private func normalized(_ rows: Rows, _ name: String) -> Rows {
    let (gain, bias) = (tensor(name + ".weight"), tensor(name + ".bias"))
    return rows.map { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      return row.indices.map { (row[$0] - mean) / (variance + 1e-12).squareRoot() * gain[$0] + bias[$0] }
    }
  }

  /// planar: `[3, side, side]`, normalised.
  private func embedded(_ planar: [Float], side: Int) -> Rows {
    let weights = tensor("embeddings.patch_embeddings.projection.weight")
    let bias = tensor("embeddings.patch_embeddings.projection.bias")
    let positions = tensor("embeddings.position_embeddings")
    let grid = side / patch
    var rows = [tensor("embeddings.cls_token")]
    for place in 0..<grid * grid {
      rows.append(
        bias.indices.map { output in
          var sum = bias[output]
          for channel in 0..<3 {
            for y in 0..<patch {
              for x in 0..<patch {
                let pixel = (channel * side + place / grid * patch + y) * side + place % grid * patch + x
                sum += weights[((output * 3 + channel) * patch + y) * patch + x] * Double(planar[pixel])
              }
            }
          }
          return sum
        })
    }
    return rows.enumerated().map { row, values in
      values.indices.map { values[$0] + positions[row * values.count + $0] }
    }
  }

  private func rounded(_ row: [Double]) -> [Double] {
    let width = row.count / heads
    return (0..<heads).flatMap { head in
      let part = row[head * width..<(head + 1) * width]
      let scale = (part.map(abs).max() ?? 0) / 127
      return part.map { scale > 0 ? ($0 / scale).rounded(.toNearestOrEven) * scale : 0 }
    }
  }

  /// Features of length 1: the backbone's, then one a group.
  func features(
    _ planar: [Float], side: Int, layout: PromptLayout, parameters: [Float], reading: Reading = .groups
  ) -> Rows {
    var x = embedded(planar, side: side)
    let frozen = x.count
    let width = x[0].count
    var starts: [Int] = []
    var start = 0
    for group in layout.groups {
      starts.append(start)
      for row in 0..<group.rows {
        x.append((0..<width).map { Double(parameters[start + row * width + $0]) })
      }
      start += group.rows * width * (layout.isDeep ? 1 + blocks : 1)
    }
    let ranges = layout.ranges.map { $0.lowerBound + frozen..<$0.upperBound + frozen }
    func reads(_ row: Int, _ column: Int) -> Bool {
      if column < frozen { return true }
      guard row >= frozen, reading == .groups, let group = ranges.firstIndex(where: { $0.contains(row) }) else {
        return false
      }
      return ranges[group].contains(column) || (layout.groups[group].readsTasks && column < ranges[group].lowerBound)
    }
    for block in 0..<blocks {
      if layout.isDeep {
        for (group, range) in ranges.enumerated() {
          let offsets = starts[group] + (1 + block) * range.count * width
          for row in range {
            for column in 0..<width {
              x[row][column] += Double(parameters[offsets + (row - range.lowerBound) * width + column])
            }
          }
        }
      }
      x = advanced(x, block: block, frozen: frozen, reads: reads)
    }
    x = normalized(x, "layernorm")
    return ([0..<1] + ranges).map { range in
      let mean = (0..<width).map { column in range.reduce(0.0) { $0 + x[$1][column] } / Double(range.count) }
      let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return mean.map { $0 / length }
    }
  }

  private func advanced(_ x: Rows, block: Int, frozen: Int, reads: (Int, Int) -> Bool) -> Rows {
    let name = "encoder.layer.\(block)."
    let width = x[0].count
    let input = normalized(x, name + "layernorm_before")
    let queries = linear(input, name + "attention.attention.query")
    let keys = linear(input, name + "attention.attention.key")
    let values = linear(input, name + "attention.attention.value")
    let frozenKeys = keys.prefix(frozen).map(rounded)
    let frozenValues = values.prefix(frozen).map(rounded)
    let headWidth = width / heads
    let attended: Rows = x.indices.map { row in
      let columns = x.indices.filter { reads(row, $0) }
      func source(_ exact: Rows, _ rounded: Rows, _ column: Int) -> [Double] {
        row >= frozen && column < frozen ? rounded[column] : exact[column]
      }
      return (0..<heads).flatMap { head -> [Double] in
        let place = head * headWidth..<(head + 1) * headWidth
        let powers = columns.map { column in
          let key = source(keys, frozenKeys, column)
          return exp(place.reduce(0.0) { $0 + queries[row][$1] * key[$1] } / Double(headWidth).squareRoot())
        }
        let total = powers.reduce(0, +)
        return place.map { index in
          zip(columns, powers).reduce(0.0) {
            $0 + $1.1 / total * source(values, frozenValues, $1.0)[index]
          }
        }
      }
    }
    let middle = sum(x, linear(attended, name + "attention.output.dense"))
    let hidden = linear(normalized(middle, name + "layernorm_after"), name + "intermediate.dense").map {
      $0.map { $0 / 2 * erfc(-$0 / 2.0.squareRoot()) }
    }
    return sum(middle, linear(hidden, name + "output.dense"))
  }

  private func sum(_ a: Rows, _ b: Rows) -> Rows { zip(a, b).map { zip($0, $1).map { $0 + $1 } } }
}
