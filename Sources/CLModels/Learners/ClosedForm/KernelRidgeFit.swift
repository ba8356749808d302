internal import Tensor

/// Fits the arc-cosine kernel ridge in dual form, coefficients (K + lambda W^-1)^-1 Y with targets Y of -1 and +1.
///
/// W gives every class the same total weight. With as many examples in every class it is the identity; with few in some
/// and many in others a small class is otherwise hardly ever answered (50 Tiny-ImageNet classes with 3, 10 and 50
/// images: test accuracy .58 without and .76 with it).
///
/// Lambda is the one of `LambdaSearch.grid` with the smallest weighted squared leave-one-out error, which has a closed
/// form: with A = (K + lambda W^-1)^-1, the residual of group g is (A_gg)^-1 (A Y)_g; the weights stay those of the whole
/// set. Candidates are compared in single precision where that is accurate enough; the chosen one is solved in double
/// precision, and its leave-one-out predictions with it.
struct KernelRidgeFit {
  private let examples: CanonicalExamples
  private let tiles: TileRunner
  /// `[count, count]`, lower triangle.
  private let kernel: TileMemory<Float>
  private let stride: Int

  struct Solution {
    let lambda: Double
    /// `[classes, examples]`.
    let coefficients: Matrix<Float>
    /// `[examples, classes]`, in canonical order.
    let leaveOneOutScores: Matrix<Float>
  }

  init(_ examples: CanonicalExamples, tiles: TileRunner) {
    self.examples = examples
    self.tiles = tiles
    stride = TileMemory<Float>.stride(columns: examples.count)
    kernel = Self.kernel(of: examples.features, examples.mixture, stride: stride, tiles: tiles)
  }

  func solve() throws(LearnerError) -> Solution {
    // Below this lambda single precision's rounding of the kernel would count beside lambda itself.
    let singleFrom = 1e-6 * Double(examples.count) * (examples.weights.max() ?? 1)
    let chosen = LambdaSearch.minimum { index in
      let lambda = LambdaSearch.grid[index]
      if lambda >= singleFrom, let single = evaluate(lambda: lambda, as: Float.self) { return single.error }
      return evaluate(lambda: lambda, as: Double.self)?.error
    }
    // Identical examples in great number can leave a small lambda unsolvable: go up until it works.
    for lambda in LambdaSearch.grid[chosen...] {
      guard let exact = evaluate(lambda: lambda, as: Double.self) else { continue }
      var scores = exact.residuals
      for index in 0..<examples.count {
        for label in 0..<examples.classCount {
          scores[index, label] = target(index, label) - scores[index, label]
        }
      }
      return Solution(lambda: lambda, coefficients: exact.coefficients, leaveOneOutScores: scores)
    }
    throw .notSolvable
  }

  private func target(_ index: Int, _ label: Int) -> Float { examples.labels[index] == label ? 1 : -1 }

  // MARK: One lambda

  private struct Evaluation {
    /// Weighted mean of the squared leave-one-out residuals.
    let error: Double
    /// `[examples, classes]`.
    let residuals: Matrix<Float>
    /// `[classes, examples]`.
    let coefficients: Matrix<Float>
  }

  /// Solves for one lambda and leaves every group out; nil when the system is not positive definite in this precision.
  private func evaluate<Scalar: KernelScalar>(lambda: Double, as: Scalar.Type) -> Evaluation? {
    let count = examples.count
    let classes = examples.classCount
    let factor = CholeskyFactor<Scalar>(order: count, furtherRows: classes, tiles: tiles)
    let chunk = 128
    tiles.run((count + chunk - 1) / chunk) { index in
      for row in index * chunk..<min(count, (index + 1) * chunk) {
        let from = kernel.base + row * stride
        let to = factor.row(row)
        for column in 0...row { to[column] = Scalar(from[column]) }
        to[row] += Scalar(lambda / examples.weights[row])
      }
    }
    for label in 0..<classes {
      let row = factor.row(count + label)
      for index in 0..<count { row[index] = Scalar(target(index, label)) }
    }
    guard factor.factor() else { return nil }

    let strips = examples.strips(of: 256)
    let residuals = TileMemory<Float>(count: count * classes)
    let solution = TileMemory<Scalar>(count: count * classes)
    let errors = TileMemory<Double>(count: strips.count)
    tiles.run(strips.count) { index in
      let strip = strips[index]
      let first = factor.firstColumn(ofInverseRow: strip.lowerBound)
      let width = TileMemory<Scalar>.stride(columns: count - first)
      let inverse = TileMemory<Scalar>(count: strip.count * width)
      factor.inverseRows(strip, into: inverse.base, stride: width)
      let coefficients = solution.base + strip.lowerBound * classes
      // A Y for these rows: L^-T times the targets solved against L.
      Scalar.multiply(
        strip.count, classes, count - first, alpha: 1, inverse.base, width, factor.row(count) + first, factor.stride,
        beta: 0, coefficients, classes)
      errors.base[index] = residualsOfGroups(
        in: strip, inverse: inverse.base, width: width, columns: count - first, coefficients: coefficients,
        residuals: residuals.base + strip.lowerBound * classes)
    }

    var error = 0.0
    for index in strips.indices { error += errors.base[index] }
    guard error.isFinite else { return nil }
    var coefficients = Matrix<Float>(rows: classes, columns: count)
    for index in 0..<count {
      for label in 0..<classes {
        coefficients[label, index] = Float(solution.base[index * classes + label])
      }
    }
    return Evaluation(
      error: error / Double(count * classes),
      residuals: Matrix(
        rows: count, columns: classes,
        storage: Array(UnsafeBufferPointer(start: residuals.base, count: count * classes))),
      coefficients: coefficients)
  }

  /// Writes the leave-one-group-out residuals of a strip's groups and returns the sum of their squares.
  private func residualsOfGroups<Scalar: KernelScalar>(
    in strip: Range<Int>, inverse: UnsafeMutablePointer<Scalar>, width: Int, columns: Int,
    coefficients: UnsafeMutablePointer<Scalar>, residuals: UnsafeMutablePointer<Float>
  ) -> Double {
    let classes = examples.classCount
    var sum = 0.0
    for group in examples.groups(in: strip) {
      let start = group.lowerBound - strip.lowerBound
      if group.count == examples.count {
        // Nothing is left to learn from: every score is 0, and no residual counts.
        for row in group {
          for label in 0..<classes { residuals[row * classes + label] = target(row, label) }
        }
        continue
      }
      let rows = inverse + start * width
      let solved = GroupSolver.solve(
        members: group.count, columns: columns, rows: rows, stride: width, right: coefficients + start * classes,
        rights: classes, identityMinus: false)
      guard let solved else { return .infinity }
      for (offset, value) in solved.enumerated() {
        residuals[start * classes + offset] = Float(value)
        sum += value * value * examples.weights[group.lowerBound + offset / classes]
      }
    }
    return sum
  }

  // MARK: The kernel

  /// The lower triangle of the kernel of every pair of rows.
  private static func kernel(
    of features: Matrix<Float>, _ mixture: FeatureMixture, stride: Int, tiles: TileRunner
  ) -> TileMemory<Float> {
    let count = features.rows
    let width = features.columns
    let kernel = TileMemory<Float>(count: count * stride)
    let side = 256
    let blocks = (count + side - 1) / side
    let pairs = (0..<blocks).flatMap { row in (0...row).map { (row: row, column: $0) } }
    tiles.run(pairs.count) { index in
      let top = pairs[index].row * side
      let left = pairs[index].column * side
      let rows = min(side, count - top)
      let columns = min(side, count - left)
      features.storage.withUnsafeBufferPointer { values in
        guard let values = values.baseAddress else { return }
        mixture.kernel(
          values + top * width, rows: rows, values + left * width, columns: columns, width: width,
          out: kernel.base + top * stride + left, stride: stride)
      }
    }
    return kernel
  }
}

extension FeatureMixture {
  /// The kernel of `rows` rows with `columns` others, all `[_, width]` and each part of length 1. out: `[rows, stride]`.
  func kernel(
    _ a: UnsafePointer<Float>, rows: Int, _ b: UnsafePointer<Float>, columns: Int, width: Int,
    out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    func kernel(of part: Part, into target: UnsafeMutablePointer<Float>, stride: Int) {
      let start = part.columns.lowerBound
      Float.multiply(
        rows, columns, part.columns.count, alpha: 1, a + start, width, b + start, width, beta: 0, target, stride)
      for row in 0..<rows { arcCosineKernel(columns, target + row * stride) }
    }
    kernel(of: parts[0], into: out, stride: stride)
    if parts.count == 1 { return }
    for row in 0..<rows {
      for column in 0..<columns { out[row * stride + column] *= parts[0].weight }
    }
    var other = [Float](repeating: 0, count: rows * columns)
    other.withUnsafeMutableBufferPointer { other in
      guard let other = other.baseAddress else { return }
      for part in parts.dropFirst() {
        kernel(of: part, into: other, stride: columns)
        for row in 0..<rows {
          for column in 0..<columns {
            out[row * stride + column] += part.weight * other[row * columns + column]
          }
        }
      }
    }
  }
}

extension CanonicalExamples {
  /// The groups that make up a strip of `strips(of:)`.
  func groups(in strip: Range<Int>) -> ArraySlice<Range<Int>> {
    let first = groups.partitioningIndex { $0.lowerBound >= strip.lowerBound }
    let last = groups.partitioningIndex { $0.lowerBound >= strip.upperBound }
    return groups[first..<last]
  }
}

extension Array {
  /// The first index at which a predicate that is false and then true becomes true.
  fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
