internal import Tensor

/// Inner products, in the metric of an inverse covariance P, of examples' deviations d from their class's mean and of the
/// means m. They are read from rows that were solved against P's factor.
struct MetricProducts {
  private let factor: CholeskyFactor<Double>
  private let classes: Int
  private let width: Int
  /// d_i P m_k, `[examples, classes]`, and m_k P m_l, `[classes, classes]`.
  let deviationMean: Matrix<Double>
  let meanMean: Matrix<Double>

  init(_ factor: CholeskyFactor<Double>, examples: CanonicalExamples) {
    self.factor = factor
    classes = examples.classCount
    width = factor.order
    let means = factor.row(width)
    func products(_ first: Int, _ count: Int) -> Matrix<Double> {
      var result = Matrix<Double>(rows: count, columns: examples.classCount)
      result.storage.withUnsafeMutableBufferPointer { out in
        guard let out = out.baseAddress else { return }
        Double.multiply(
          count, examples.classCount, factor.order, alpha: 1, factor.row(factor.order + first), factor.stride, means,
          factor.stride, beta: 0, out, examples.classCount)
      }
      return result
    }
    deviationMean = products(classes, examples.count)
    meanMean = products(0, classes)
  }

  /// d_i P d_j for a range of examples, `[members, members]`.
  func deviationDeviation(_ range: Range<Int>) -> Matrix<Double> {
    var result = Matrix<Double>(rows: range.count, columns: range.count)
    let rows = factor.row(width + classes + range.lowerBound)
    result.storage.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      Double.multiply(
        range.count, range.count, width, alpha: 1, rows, factor.stride, rows, factor.stride, beta: 0, out, range.count)
    }
    return result
  }
}

/// A discriminant without one group. The members' deviations E leave the scatter together with the shift of their
/// classes' means: the scatter loses E^T D E with D^-1 = I - (1/n_c) 1 1^T on the members of each class c (I where the
/// class loses all of its n_c examples), so the new metric is P' = P + b P E^T (D^-1 - b E P E^T)^-1 E P.
struct LeftOutGroup {
  private let group: Range<Int>
  private let labels: [Int]
  private let products: MetricProducts
  /// Members a class loses, and examples it keeps.
  private let lost: [Int: Int]
  private let counts: [Int]
  private let removal: Double
  /// E P E^T and the inverse of D^-1 - b E P E^T, applied through its factor.
  private let gram: Matrix<Double>
  private let factor: CholeskyFactor<Double>

  init?(_ group: Range<Int>, labels: [Int], counts: [Int], products: MetricProducts, removal: Double) {
    self.group = group
    self.labels = labels
    self.products = products
    self.counts = counts
    self.removal = removal
    var lost: [Int: Int] = [:]
    for member in group { lost[labels[member], default: 0] += 1 }
    self.lost = lost
    gram = products.deviationDeviation(group)
    let size = group.count
    // Right-hand sides: E P v for every class's mean v, and for every member's own feature.
    factor = CholeskyFactor(order: size, furtherRows: counts.count + size, tiles: TileRunner(pool: nil))
    for row in 0..<size {
      let to = factor.row(row)
      for column in 0...row {
        var value = row == column ? 1.0 : 0
        let label = labels[group.lowerBound + row]
        if label == labels[group.lowerBound + column], let gone = lost[label], gone < counts[label] {
          value -= 1 / Double(counts[label])
        }
        to[column] = value - removal * gram[row, column]
      }
    }
    for label in counts.indices {
      let to = factor.row(size + label)
      for member in 0..<size { to[member] = memberProduct(member, label) }
    }
    for other in 0..<size {
      let to = factor.row(size + counts.count + other)
      let label = labels[group.lowerBound + other]
      for member in 0..<size {
        to[member] = gram[member, other] + products.deviationMean[group.lowerBound + member, label]
      }
    }
    guard factor.factor() else { return nil }
  }

  /// How far the mean of a class moves, as a factor of the sum of its members' deviations.
  private func shift(_ label: Int) -> Double {
    guard let gone = lost[label], gone < counts[label] else { return 0 }
    return -1 / Double(counts[label] - gone)
  }

  private func members(of label: Int) -> [Int] {
    lost[label] == nil ? [] : (0..<group.count).filter { labels[group.lowerBound + $0] == label }
  }

  /// d_member P m', with m' the mean of a class without the group.
  private func memberProduct(_ member: Int, _ label: Int) -> Double {
    var product = products.deviationMean[group.lowerBound + member, label]
    let factor = shift(label)
    if factor != 0 {
      for other in members(of: label) { product += factor * gram[member, other] }
    }
    return product
  }

  /// Writes each member's scores; a class that keeps no example gets the lowest of the others.
  func writeScores(to scores: inout Matrix<Float>) {
    let size = group.count
    var kept: [Int] = []
    var halfSquares = [Double](repeating: 0, count: counts.count)
    for label in counts.indices where counts[label] > lost[label, default: 0] {
      kept.append(label)
      let factor = shift(label)
      var square = products.meanMean[label, label]
      if factor != 0 {
        let own = members(of: label)
        for member in own {
          square += 2 * factor * products.deviationMean[group.lowerBound + member, label]
          for other in own { square += factor * factor * gram[member, other] }
        }
      }
      halfSquares[label] = (square + removal * correction(size + label, size + label)) / 2
    }
    for member in 0..<size {
      let row = group.lowerBound + member
      let own = labels[row]
      var lowest = Float.infinity
      for label in kept {
        var product = memberProduct(member, label) + products.meanMean[own, label]
        let factor = shift(label)
        if factor != 0 {
          for other in members(of: label) {
            product += factor * products.deviationMean[group.lowerBound + other, own]
          }
        }
        product += removal * correction(size + counts.count + member, size + label)
        scores[row, label] = Float(product - halfSquares[label])
        lowest = min(lowest, scores[row, label])
      }
      for label in counts.indices where counts[label] <= lost[label, default: 0] {
        scores[row, label] = lowest == .infinity ? 0 : lowest
      }
    }
  }

  /// The inner product of two solved rows.
  private func correction(_ left: Int, _ right: Int) -> Double {
    let a = factor.row(left)
    let b = factor.row(right)
    var sum = 0.0
    for index in 0..<group.count { sum += a[index] * b[index] }
    return sum
  }
}
