import CLModels
import Tensor
import Testing

@Suite struct HerdingTests {
  private func features(_ rows: Int, seed: UInt64) -> Matrix<Float> {
    clusteredExamples(classes: 1, perClass: [rows], width: 7, noise: 1.5, seed: seed).features
  }

  /// As it is defined: whichever example brings the exemplars' mean nearest to the mean of all.
  private func greedy(_ features: Matrix<Float>, count: Int) -> [Int] {
    let rows = (0..<features.rows).map { features.row($0).map(Double.init) }
    let width = features.columns
    let mean = (0..<width).map { column in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) }
    var chosen: [Int] = []
    while chosen.count < min(count, rows.count) {
      let distances = rows.indices.map { candidate -> Double in
        guard !chosen.contains(candidate) else { return .infinity }
        return (0..<width).reduce(0.0) { sum, column in
          let total = (chosen + [candidate]).reduce(0) { $0 + rows[$1][column] }
          let difference = mean[column] - total / Double(chosen.count + 1)
          return sum + difference * difference
        }
      }
      chosen.append(distances.indices.min { distances[$0] < distances[$1] } ?? 0)
    }
    return chosen
  }

  @Test(arguments: UInt64(1)...5)
  func itTakesWhatTheDefinitionTakes(seed: UInt64) {
    let all = features(25, seed: seed)
    #expect(Herding.choose(all, count: 12) == greedy(all, count: 12))
  }

  @Test func fewerAreTheFirstOfMore() {
    let all = features(25, seed: 6)
    let order = Herding.choose(all, count: 25)
    for count in 0...25 { #expect(Herding.choose(all, count: count) == Array(order.prefix(count))) }
  }

  @Test(arguments: [25, 26, 1000])
  func asManyAsThereAreAreAllInOrder(count: Int) {
    let all = features(25, seed: 7)
    let chosen = Herding.choose(all, count: count)
    #expect(chosen.sorted() == Array(0..<25))
    #expect(chosen.prefix(15) == Herding.choose(all, count: 15)[...])
  }

  @Test func noExamplesGiveNone() {
    #expect(Herding.choose(Matrix<Float>(rows: 0, columns: 4), count: 3).isEmpty)
  }
}
