internal import Tensor

/// Fits the discriminant with the pooled within-class covariance S, shrunk to `(1 - e) S + e I`: with P its inverse and
/// m the class means, class k scores `x P m_k - m_k P m_k / 2`. Features have unit length, so e is in their units.
///
/// The shrinkage is the one of `shrinkages` with the best leave-one-out accuracy (ties: the larger). Leaving a group out
/// changes S by a matrix of its members' rank, so its scores follow exactly from inner products in the metric P
/// (Woodbury); only the factor N / (N - members) in front of S needs a factorisation for every size of group. Groups of
/// more members than the features are wide are fitted without instead (`SharedCovarianceFit+LargeGroups`).
struct SharedCovarianceFit {
  static let shrinkages: [Double] = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001]

  let examples: CanonicalExamples
  let tiles: TileRunner
  let counts: [Int]
  /// `[classes, width]`.
  let means: Matrix<Double>
  /// Each example minus its class's mean, `[examples, width]`.
  let deviations: Matrix<Double>
  /// The pooled within-class covariance, lower triangle of `[width, width]`.
  let covariance: Matrix<Double>

  struct Solution {
    let shrinkage: Double
    let head: SharedCovarianceHead
    /// `[examples, classes]`, in canonical order.
    let leaveOneOutScores: Matrix<Float>
  }

  init(_ examples: CanonicalExamples, tiles: TileRunner) {
    self.examples = examples
    self.tiles = tiles
    let width = examples.width
    var counts = [Int](repeating: 0, count: examples.classCount)
    var means = Matrix<Double>(rows: examples.classCount, columns: width)
    for (row, label) in examples.labels.enumerated() {
      counts[label] += 1
      for column in 0..<width { means[label, column] += Double(examples.features[row, column]) }
    }
    for (label, count) in counts.enumerated() where count > 0 {
      for column in 0..<width { means[label, column] /= Double(count) }
    }
    var deviations = Matrix<Double>(rows: examples.count, columns: width)
    for (row, label) in examples.labels.enumerated() {
      for column in 0..<width {
        deviations[row, column] = Double(examples.features[row, column]) - means[label, column]
      }
    }
    self.counts = counts
    self.means = means
    self.deviations = deviations
    covariance = Self.gram(deviations.transposed(), divisor: Double(examples.count), tiles: tiles)
  }

  /// The lower triangle of `rows rows^T / divisor`.
  static func gram(_ rows: Matrix<Double>, divisor: Double, tiles: TileRunner) -> Matrix<Double> {
    let out = TileMemory<Double>(count: rows.rows * rows.rows)
    let side = 128
    tiles.run((rows.rows + side - 1) / side) { index in
      let range = index * side..<min(rows.rows, (index + 1) * side)
      rows.storage.withUnsafeBufferPointer { values in
        guard let values = values.baseAddress else { return }
        for start in stride(from: 0, to: rows.columns, by: 4_096) {
          Double.multiply(
            range.count, range.upperBound, min(4_096, rows.columns - start), alpha: 1 / divisor,
            values + range.lowerBound * rows.columns + start, rows.columns, values + start, rows.columns,
            beta: start == 0 ? 0 : 1, out.base + range.lowerBound * rows.rows, rows.rows)
          tiles.yield()
        }
      }
    }
    return Matrix(
      rows: rows.rows, columns: rows.rows, storage: Array(UnsafeBufferPointer(start: out.base, count: out.count)))
  }

  func solve() throws(LearnerError) -> Solution {
    var best: (shrinkage: Double, right: Int, scores: Matrix<Float>)?
    for shrinkage in Self.shrinkages {
      guard let scores = leaveOneOutScores(shrinkage: shrinkage) else { continue }
      let right = examples.labels.indices.count { row in
        let values = scores.row(row)
        return values.max() == values[values.startIndex + examples.labels[row]] && Set(values).count > 1
      }
      if right > best?.right ?? -1 { best = (shrinkage, right, scores) }
    }
    guard let best, let head = head(shrinkage: best.shrinkage) else { throw .notSolvable }
    return Solution(shrinkage: best.shrinkage, head: head, leaveOneOutScores: best.scores)
  }

  /// `scale * S + shrinkage * I`, factored, with the means and then `rows` of the deviations solved against it.
  private func factor(scale: Double, shrinkage: Double, withDeviations: Bool) -> CholeskyFactor<Double>? {
    let width = examples.width
    let factor = CholeskyFactor<Double>(
      order: width, furtherRows: examples.classCount + (withDeviations ? examples.count : 0), tiles: tiles)
    for row in 0..<width {
      let to = factor.row(row)
      for column in 0...row { to[column] = scale * covariance[row, column] }
      to[row] += shrinkage
    }
    means.copy(to: factor, at: width)
    if withDeviations { deviations.copy(to: factor, at: width + examples.classCount) }
    return factor.factor() ? factor : nil
  }

  private func head(shrinkage: Double) -> SharedCovarianceHead? {
    let factor = factor(scale: 1 - shrinkage, shrinkage: shrinkage, withDeviations: false)
    return factor.map { Self.head($0, means: means, counts: counts) }
  }

  /// The head of a factored metric below which the means were solved; classes that count nothing are absent.
  static func head(_ factor: CholeskyFactor<Double>, means: Matrix<Double>, counts: [Int]) -> SharedCovarianceHead {
    factor.solveFurther(0..<means.rows)
    var weights = Matrix<Float>(rows: means.rows, columns: means.columns)
    var biases = [Float](repeating: SharedCovarianceHead.absent, count: means.rows)
    for label in 0..<means.rows where counts[label] > 0 {
      let row = factor.row(means.columns + label)
      var product = 0.0
      for column in 0..<means.columns {
        weights[label, column] = Float(row[column])
        product += row[column] * means[label, column]
      }
      biases[label] = Float(-product / 2)
    }
    return SharedCovarianceHead(weights: weights, biases: biases)
  }

  // MARK: Leave one group out

  private func leaveOneOutScores(shrinkage: Double) -> Matrix<Float>? {
    var scores = Matrix<Float>(rows: examples.count, columns: examples.classCount)
    for group in examples.groups where group.count > examples.width && group.count < examples.count {
      guard writeScores(without: group, shrinkage: shrinkage, to: &scores) else { return nil }
    }
    let sizes = Set(examples.groups.map(\.count)).sorted()
    for size in sizes where size <= examples.width && size < examples.count {
      let remaining = Double(examples.count - size)
      let scale = (1 - shrinkage) * Double(examples.count) / remaining
      guard let factor = factor(scale: scale, shrinkage: shrinkage, withDeviations: true) else { return nil }
      let products = MetricProducts(factor, examples: examples)
      for group in examples.groups where group.count == size {
        let left = LeftOutGroup(
          group, labels: examples.labels, counts: counts, products: products, removal: (1 - shrinkage) / remaining)
        guard let left else { return nil }
        left.writeScores(to: &scores)
      }
    }
    return scores.storage.allSatisfy(\.isFinite) ? scores : nil
  }
}

extension Matrix<Double> {
  /// Writes every row to the factor's rows from `first` on.
  func copy(to factor: CholeskyFactor<Double>, at first: Int) {
    for row in 0..<rows {
      let to = factor.row(first + row)
      for column in 0..<columns { to[column] = self[row, column] }
    }
  }
}
