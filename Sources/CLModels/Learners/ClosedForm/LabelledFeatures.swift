package import Tensor

/// Kernels of parts of a feature row, added with weights: how features of several sources share one head.
///
/// k(x, y) = sum_s weight_s k(x_s, y_s), each part x_s brought to length 1 by itself. The weights add up to 1.
package struct FeatureMixture: Sendable, Equatable {
  package struct Part: Sendable, Equatable {
    package let columns: Range<Int>
    package let weight: Float

    package init(columns: Range<Int>, weight: Float) {
      self.columns = columns
      self.weight = weight
    }
  }

  package let parts: [Part]

  package init(_ parts: [Part]) {
    precondition(!parts.isEmpty && parts.allSatisfy { !$0.columns.isEmpty && $0.weight > 0 }, "parts with a weight")
    self.parts = parts
  }

  /// One source: the whole row.
  package init(width: Int) { parts = [Part(columns: 0..<width, weight: 1)] }

  /// Whether it is one kernel over the whole row.
  func isWhole(_ width: Int) -> Bool { self == FeatureMixture(width: width) }

  /// Whether all parts are within rows of this width, and no column is in two: each is brought to length 1 by itself.
  func fits(_ width: Int) -> Bool {
    let ordered = parts.map(\.columns).sorted { $0.lowerBound < $1.lowerBound }
    return ordered.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= width }
      && zip(ordered, ordered.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
  }
}

/// A training set: features with labels, in any order (results do not depend on it).
package struct LabelledFeatures: Sendable {
  /// `[examples, width]`. Rows are brought to unit length by the learners; a row of zeros stays zero.
  package var features: Matrix<Float>
  /// Each example's class, in `0..<classCount`.
  package var labels: [Int]
  /// Examples with the same number belong together (a speaker, a source, a burst): leave-one-out leaves them out
  /// together. Without it every example is its own group.
  package var groups: [Int]?
  /// How many classes there are; a class may have no example.
  package var classCount: Int
  /// Which columns are features of a source of their own; nil for one source. Only the kernel ridge mixes; other
  /// methods, and the form `.automatic` takes for many examples, read the row as one source.
  package var mixture: FeatureMixture?

  package init(
    features: Matrix<Float>, labels: [Int], groups: [Int]? = nil, classCount: Int, mixture: FeatureMixture? = nil
  ) {
    self.mixture = mixture
    self.features = features
    self.labels = labels
    self.groups = groups
    self.classCount = classCount
  }
}

/// A checked training set in canonical order: rows of unit length, sorted by their bits, each group in one piece. Two
/// training sets with the same examples in another order become the same one, bit for bit.
struct CanonicalExamples: Sendable {
  let features: Matrix<Float>
  let mixture: FeatureMixture
  let labels: [Int]
  /// Consecutive ranges, one a group, in the order of each group's first example.
  let groups: [Range<Int>]
  let classCount: Int
  /// One an example: every class weighs the same however many examples it has, and the mean is 1.
  let weights: [Double]
  /// `original[i]` is where canonical example i stands in the caller's set.
  let original: [Int]

  var count: Int { labels.count }
  var width: Int { features.columns }

  init(_ data: LabelledFeatures) throws(LearnerError) {
    let count = data.features.rows
    guard count > 0 else { throw .noExamples }
    guard data.features.columns > 0 else { throw .invalid("features have no columns") }
    guard data.classCount > 0 else { throw .invalid("there are no classes") }
    guard data.labels.count == count else { throw .invalid("\(count) feature rows, \(data.labels.count) labels") }
    if let groups = data.groups, groups.count != count {
      throw .invalid("\(count) feature rows, \(groups.count) groups")
    }
    guard data.labels.allSatisfy({ $0 >= 0 && $0 < data.classCount }) else {
      throw .invalid("a label is not in 0..<\(data.classCount)")
    }
    let mixture = data.mixture ?? FeatureMixture(width: data.features.columns)
    guard mixture.fits(data.features.columns) else { throw .invalid("sources overlap or are wider than the features") }
    let unit = data.features.rowsOfUnitLength(mixture)
    let width = unit.columns
    self.mixture = mixture
    if let bad = unit.storage.firstIndex(where: { !$0.isFinite }) { throw .notFinite(example: bad / width) }

    let sorted = unit.storage.withUnsafeBufferPointer { values in
      (0..<count).sorted { left, right in
        for column in 0..<width {
          let a = values[left * width + column].bitPattern
          let b = values[right * width + column].bitPattern
          if a != b { return a < b }
        }
        return (data.labels[left], left) < (data.labels[right], right)
      }
    }
    var order: [Int] = []
    var ranges: [Range<Int>] = []
    if let numbers = data.groups {
      var members: [Int: [Int]] = [:]
      var seen: [Int] = []
      for index in sorted {
        if members[numbers[index]] == nil { seen.append(numbers[index]) }
        members[numbers[index], default: []].append(index)
      }
      for group in seen {
        let indices = members[group] ?? []
        ranges.append(order.count..<order.count + indices.count)
        order += indices
      }
    } else {
      order = sorted
      ranges = (0..<count).map { $0..<$0 + 1 }
    }
    features = unit.selectingRows(order)
    labels = order.map { data.labels[$0] }
    groups = ranges
    classCount = data.classCount
    original = order
    var counts = [Int](repeating: 0, count: data.classCount)
    for label in labels { counts[label] += 1 }
    let share = Double(count) / Double(counts.count { $0 > 0 })
    weights = labels.map { share / Double(counts[$0]) }
  }

  /// Rows given in canonical order, put back into the caller's order.
  func restored(_ matrix: Matrix<Float>) -> Matrix<Float> {
    var result = Matrix<Float>(rows: matrix.rows, columns: matrix.columns)
    for (row, target) in original.enumerated() {
      for column in 0..<matrix.columns { result[target, column] = matrix[row, column] }
    }
    return result
  }

  /// Consecutive whole groups together, at least `size` rows each while groups allow it.
  func strips(of size: Int) -> [Range<Int>] {
    var strips: [Range<Int>] = []
    var start = 0
    for group in groups where group.upperBound - start >= size || group.upperBound == count {
      strips.append(start..<group.upperBound)
      start = group.upperBound
    }
    return strips
  }
}

extension Matrix<Float> {
  /// Each row divided by its Euclidean length, summed in double precision; rows of zeros stay.
  package func rowsOfUnitLength() -> Matrix<Float> { rowsOfUnitLength(columns: 0..<columns) }

  /// Each part of a mixture by itself.
  func rowsOfUnitLength(_ mixture: FeatureMixture) -> Matrix<Float> {
    mixture.parts.reduce(self) { $0.rowsOfUnitLength(columns: $1.columns) }
  }

  private func rowsOfUnitLength(columns part: Range<Int>) -> Matrix<Float> {
    var result = self
    result.storage.withUnsafeMutableBufferPointer { values in
      for row in 0..<rows {
        let range = row * columns + part.lowerBound..<row * columns + part.upperBound
        var square = 0.0
        for index in range { square += Double(values[index]) * Double(values[index]) }
        guard square > 0 else { continue }
        let scale = 1 / square.squareRoot()
        for index in range { values[index] = Float(Double(values[index]) * scale) }
      }
    }
    return result
  }
}
