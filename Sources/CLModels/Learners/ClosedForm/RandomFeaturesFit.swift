internal import Tensor

/// Fits ridge on random ReLU features, (G + lambda I)^-1 H^T Y with G = H^T H: one system of as many rows as there are
/// features, however many examples. Rows of H and Y are scaled by the square roots of the examples' weights.
///
/// Weights and lambda as in `KernelRidgeFit`. The weights of the head are solved in double precision; the leave-one-out
/// predictions are those of lambda's comparison, in single precision where that is accurate enough. Leave-one-out by the hat matrix: with V = H L^-T and L the factor of
/// G + lambda I, the (scaled) residual of group g is (I - V_g V_g^T)^-1 (Y - V L^-1 H^T Y)_g.
struct RandomFeaturesFit {
  private let examples: CanonicalExamples
  private let features: RandomFeatures
  private let tiles: TileRunner
  /// H, `[examples, features]`, scaled.
  private let hidden: TileMemory<Float>
  private let hiddenStride: Int
  /// G's lower triangle, `[features, features]`, and H^T Y, `[classes, features]`.
  private let gram: TileMemory<Float>
  private let targets: TileMemory<Float>
  private let gramStride: Int

  /// Examples a tile takes at once before urgent work gets its turn.
  private static var chunk: Int { 4_096 }

  struct Solution {
    let lambda: Double
    let head: RandomFeaturesHead
    /// `[examples, classes]`, in canonical order.
    let leaveOneOutScores: Matrix<Float>
  }

  init(_ examples: CanonicalExamples, features: RandomFeatures, tiles: TileRunner) {
    self.examples = examples
    self.features = features
    self.tiles = tiles
    let count = examples.count
    let classes = examples.classCount
    let side = 256

    let hiddenStride = TileMemory<Float>.stride(columns: features.count)
    let hidden = TileMemory<Float>(count: count * hiddenStride)
    tiles.run((count + side - 1) / side) { index in
      let rows = index * side..<min(count, (index + 1) * side)
      features.write(
        rows: rows, of: examples.features, to: hidden.base + rows.lowerBound * hiddenStride, stride: hiddenStride)
      for row in rows where examples.weights[row] != 1 {
        let factor = Float(examples.weights[row].squareRoot())
        let values = hidden.base + row * hiddenStride
        for column in 0..<features.count { values[column] *= factor }
      }
    }
    let turnedStride = TileMemory<Float>.stride(columns: count)
    let turned = TileMemory<Float>(count: features.count * turnedStride)
    let roots = examples.weights.map { Float($0.squareRoot()) }
    let balanced = roots.allSatisfy { $0 == 1 }
    let blocks = (features.count + side - 1) / side
    tiles.run(blocks) { index in
      let range = index * side..<min(features.count, (index + 1) * side)
      for start in stride(from: 0, to: count, by: Self.chunk) {
        let rows = start..<min(count, start + Self.chunk)
        features.writeTransposed(
          features: range, rows: rows, of: examples.features,
          to: turned.base + range.lowerBound * turnedStride + start, stride: turnedStride)
        if !balanced {
          for row in range {
            let values = turned.base + row * turnedStride
            for index in rows { values[index] *= roots[index] }
          }
        }
        tiles.yield()
      }
    }
    let labels = TileMemory<Float>(count: classes * turnedStride)
    for label in 0..<classes {
      for index in 0..<count {
        labels.base[label * turnedStride + index] = examples.labels[index] == label ? roots[index] : -roots[index]
      }
    }
    let gramStride = TileMemory<Float>.stride(columns: features.count)
    let gram = TileMemory<Float>(count: features.count * gramStride)
    let targets = TileMemory<Float>(count: classes * gramStride)
    let pairs = (0..<blocks).flatMap { row in (0...row).map { (row: row, column: $0) } }
    tiles.run(pairs.count + blocks) { index in
      let row = index < pairs.count ? pairs[index].row * side : 0
      let column = (index < pairs.count ? pairs[index].column : index - pairs.count) * side
      let columns = min(side, features.count - column)
      let isGram = index < pairs.count
      let left = isGram ? turned.base + row * turnedStride : labels.base
      let out = isGram ? gram.base + row * gramStride + column : targets.base + column
      for start in stride(from: 0, to: count, by: Self.chunk) {
        Float.multiply(
          isGram ? min(side, features.count - row) : classes, columns, min(Self.chunk, count - start), alpha: 1,
          left + start, turnedStride, turned.base + column * turnedStride + start, turnedStride,
          beta: start == 0 ? 0 : 1, out, gramStride)
        tiles.yield()
      }
    }
    self.hidden = hidden
    self.hiddenStride = hiddenStride
    self.gram = gram
    self.targets = targets
    self.gramStride = gramStride
  }

  func solve() throws(LearnerError) -> Solution {
    let singleFrom = 1e-6 * Double(examples.count)
    var best: (index: Int, evaluation: Evaluation)?
    let chosen = LambdaSearch.minimum { index in
      let lambda = LambdaSearch.grid[index]
      let evaluation =
        (lambda >= singleFrom ? evaluate(lambda: lambda, as: Float.self) : nil)
        ?? evaluate(lambda: lambda, as: Double.self)
      if let evaluation, evaluation.error < best?.evaluation.error ?? .infinity { best = (index, evaluation) }
      return evaluation?.error
    }
    for index in LambdaSearch.grid.indices[chosen...] {
      let lambda = LambdaSearch.grid[index]
      guard let weights = weights(lambda: lambda) else { continue }
      let kept = best.flatMap { $0.index == index ? $0.evaluation : nil }
      guard let evaluation = kept ?? evaluate(lambda: lambda, as: Double.self) else { continue }
      var scores = evaluation.residuals
      for row in 0..<examples.count {
        for label in 0..<examples.classCount { scores[row, label] = target(row, label) - scores[row, label] }
      }
      return Solution(
        lambda: lambda, head: RandomFeaturesHead(features: features, weights: weights), leaveOneOutScores: scores)
    }
    throw .notSolvable
  }

  private func target(_ index: Int, _ label: Int) -> Float { examples.labels[index] == label ? 1 : -1 }

  // MARK: One lambda

  private struct Evaluation {
    let error: Double
    /// `[examples, classes]`.
    let residuals: Matrix<Float>
  }

  private func system<Scalar: KernelScalar>(lambda: Double, furtherRows: Int) -> CholeskyFactor<Scalar> {
    let factor = CholeskyFactor<Scalar>(order: features.count, furtherRows: furtherRows, tiles: tiles)
    let chunk = 128
    tiles.run((features.count + chunk - 1) / chunk) { index in
      for row in index * chunk..<min(features.count, (index + 1) * chunk) {
        let to = factor.row(row)
        let from = gram.base + row * gramStride
        for column in 0...row { to[column] = Scalar(from[column]) }
        to[row] += Scalar(lambda)
      }
    }
    for label in 0..<examples.classCount {
      let to = factor.row(features.count + label)
      let from = targets.base + label * gramStride
      for column in 0..<features.count { to[column] = Scalar(from[column]) }
    }
    return factor
  }

  /// `[classes, features]`, solved in double precision.
  private func weights(lambda: Double) -> Matrix<Float>? {
    let classes = examples.classCount
    let factor: CholeskyFactor<Double> = system(lambda: lambda, furtherRows: classes)
    guard factor.factor() else { return nil }
    let chunk = 16
    tiles.run((classes + chunk - 1) / chunk) { index in
      factor.solveFurther(index * chunk..<min(classes, (index + 1) * chunk))
    }
    var weights = Matrix<Float>(rows: classes, columns: features.count)
    for label in 0..<classes {
      for column in 0..<features.count {
        weights[label, column] = Float(factor.row(features.count + label)[column])
      }
    }
    return weights.storage.allSatisfy(\.isFinite) ? weights : nil
  }

  private func evaluate<Scalar: KernelScalar>(lambda: Double, as: Scalar.Type) -> Evaluation? {
    let count = examples.count
    let classes = examples.classCount
    let order = features.count
    let factor: CholeskyFactor<Scalar> = system(lambda: lambda, furtherRows: classes + count)
    let chunk = 128
    tiles.run((count + chunk - 1) / chunk) { index in
      for row in index * chunk..<min(count, (index + 1) * chunk) {
        let to = factor.row(order + classes + row)
        let from = hidden.base + row * hiddenStride
        for column in 0..<order { to[column] = Scalar(from[column]) }
      }
    }
    guard factor.factor() else { return nil }

    // Y - V L^-1 H^T Y, what each group's system is solved for.
    let right = TileMemory<Scalar>(count: count * classes)
    let side = 256
    tiles.run((count + side - 1) / side) { index in
      let rows = index * side..<min(count, (index + 1) * side)
      Scalar.multiply(
        rows.count, classes, order, alpha: -1, factor.row(order + classes + rows.lowerBound), factor.stride,
        factor.row(order), factor.stride, beta: 0, right.base + rows.lowerBound * classes, classes)
      for row in rows {
        let root = Scalar(examples.weights[row].squareRoot())
        for label in 0..<classes { right.base[row * classes + label] += Scalar(target(row, label)) * root }
      }
    }

    let strips = examples.strips(of: 256)
    let residuals = TileMemory<Float>(count: count * classes)
    let errors = TileMemory<Double>(count: strips.count)
    tiles.run(strips.count) { index in
      var sum = 0.0
      for group in examples.groups(in: strips[index]) where group.count < LargeGroup<Scalar>.smallest {
        let solved = GroupSolver.solve(
          members: group.count, columns: order, rows: factor.row(order + classes + group.lowerBound),
          stride: factor.stride, right: right.base + group.lowerBound * classes, rights: classes, identityMinus: true)
        sum += store(solved, of: group, in: residuals)
      }
      errors.base[index] = sum
    }
    var error = 0.0
    for index in strips.indices { error += errors.base[index] }
    for group in examples.groups where group.count >= LargeGroup<Scalar>.smallest {
      let large = LargeGroup(rows: factor, first: order + classes + group.lowerBound, count: group.count, tiles: tiles)
      let solved = group.count == count ? [] : large.solve(right: right, from: group.lowerBound, rights: classes)
      error += store(solved, of: group, in: residuals)
    }
    guard error.isFinite else { return nil }
    return Evaluation(
      error: error / Double(count * classes),
      residuals: Matrix(
        rows: count, columns: classes,
        storage: Array(UnsafeBufferPointer(start: residuals.base, count: count * classes))))
  }

  /// Keeps a group's residuals, solved in scaled form, and returns the sum of their squares: infinite when there is no
  /// solution. Without a group that is everything nothing is left to learn from: its scores are 0 and do not count.
  private func store(_ solved: [Double]?, of group: Range<Int>, in residuals: TileMemory<Float>) -> Double {
    let classes = examples.classCount
    if group.count == examples.count {
      for row in group {
        for label in 0..<classes { residuals.base[row * classes + label] = target(row, label) }
      }
      return 0
    }
    guard let solved else { return .infinity }
    var sum = 0.0
    for (offset, value) in solved.enumerated() {
      let root = examples.weights[group.lowerBound + offset / classes].squareRoot()
      residuals.base[group.lowerBound * classes + offset] = Float(value / root)
      sum += value * value
    }
    return sum
  }
}
