package import Tensor

/// Which examples of a class stand for it: exemplars whose mean stays near the class's mean (Welling 2009; iCaRL, Rebuffi
/// et al. 2017, algorithm 4).
package enum Herding {
  /// Rows of `features` (`[examples, width]`, of length 1) in the order herding takes them, at most `count`: fewer are
  /// always the first of more, so that a memory shrinks by its end.
  package static func choose(_ features: Matrix<Float>, count: Int) -> [Int] {
    let width = features.columns
    var mean = [Float](repeating: 0, count: width)
    for row in 0..<features.rows {
      for (column, value) in features.row(row).enumerated() { mean[column] += value / Float(features.rows) }
    }
    // The next one is nearest to what the sum still lacks: |mean - (sum + x) / k| is least where x . (mean k - sum) is
    // greatest, all x being of length 1.
    var sum = [Float](repeating: 0, count: width)
    var left = Array(0..<features.rows)
    var chosen: [Int] = []
    while chosen.count < min(count, features.rows) {
      let lack = (0..<width).map { mean[$0] * Float(chosen.count + 1) - sum[$0] }
      let scores = left.map { row in zip(features.row(row), lack).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
      guard let best = scores.indices.max(by: { scores[$0] < scores[$1] }) else { break }
      let row = left.remove(at: best)
      chosen.append(row)
      for (column, value) in features.row(row).enumerated() { sum[column] += value }
    }
    return chosen
  }
}
