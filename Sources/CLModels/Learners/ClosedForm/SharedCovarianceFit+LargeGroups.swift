internal import Tensor

extension SharedCovarianceFit {
  /// Writes the scores of a group's members by the discriminant fitted without them; false when it cannot be solved.
  ///
  /// A class that loses members with deviations d and keeps k examples loses `sum d d^T + s s^T / k` of its scatter, with
  /// s the sum of the d. Cost: members width^2 + width^3 operations; memory 16 bytes a member's number, and width^2.
  func writeScores(without group: Range<Int>, shrinkage: Double, to scores: inout Matrix<Float>) -> Bool {
    let width = examples.width
    var kept = counts
    var sums = Matrix<Double>(rows: examples.classCount, columns: width)
    for row in group {
      let label = examples.labels[row]
      kept[label] -= 1
      for column in 0..<width { sums[label, column] += deviations[row, column] }
    }
    var means = means
    var lost = deviations.selectingRows(Array(group)).storage
    for label in kept.indices where kept[label] > 0 && kept[label] < counts[label] {
      let root = Double(kept[label]).squareRoot()
      for column in 0..<width {
        means[label, column] -= sums[label, column] / Double(kept[label])
        lost.append(sums[label, column] / root)
      }
    }
    let removed = Self.gram(
      Matrix(rows: lost.count / width, columns: width, storage: lost).transposed(), divisor: 1, tiles: tiles)

    let scale = (1 - shrinkage) / Double(examples.count - group.count)
    let factor = CholeskyFactor<Double>(order: width, furtherRows: examples.classCount, tiles: tiles)
    for row in 0..<width {
      let to = factor.row(row)
      for column in 0...row {
        to[column] = scale * (Double(examples.count) * covariance[row, column] - removed[row, column])
      }
      to[row] += shrinkage
    }
    means.copy(to: factor, at: width)
    guard factor.factor() else { return false }
    let own = Self.head(factor, means: means, counts: kept).scores(examples.features.selectingRows(Array(group)))
    for (row, member) in group.enumerated() {
      for label in 0..<examples.classCount { scores[member, label] = own[row, label] }
    }
    return true
  }
}
