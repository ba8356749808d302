import CLModels
import Tensor

/// Clusters on the sphere: each class a random direction, each example that direction plus noise.
func clusteredExamples(
  classes: Int, perClass: [Int], width: Int, noise: Double, seed: UInt64, groupsOf groupSize: Int? = nil
) -> LabelledFeatures {
  var generator = SeededGenerator(seed: seed)
  let centres = (0..<classes).map { _ in (0..<width).map { _ in generator.nextGaussian() } }
  var rows: [[Float]] = []
  var labels: [Int] = []
  for label in 0..<classes {
    for _ in 0..<perClass[label % perClass.count] {
      rows.append(centres[label].map { Float($0 + noise * generator.nextGaussian()) })
      labels.append(label)
    }
  }
  let groups = groupSize.map { size in rows.indices.map { $0 % ((rows.count + size - 1) / size) } }
  return LabelledFeatures(
    features: Matrix(rows).rowsOfUnitLength(), labels: labels, groups: groups, classCount: classes)
}

extension LabelledFeatures {
  func selecting(_ indices: [Int]) -> LabelledFeatures {
    LabelledFeatures(
      features: features.selectingRows(indices), labels: indices.map { labels[$0] },
      groups: groups.map { groups in indices.map { groups[$0] } }, classCount: classCount, mixture: mixture)
  }
}

/// The textbook forms in double precision, by Gauss-Jordan: slow, short, and sharing nothing with the product.
enum Naive {
  static func kernel(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
    var dot = 0.0
    for (x, y) in zip(a, b) { dot += Double(x) * Double(y) }
    let cosine = min(1, max(-1, dot))
    let angle = acosine(cosine)
    return ((1 - cosine * cosine).squareRoot() + (Double.pi - angle) * cosine) / Double.pi
  }

  /// Kernels of parts of two rows, each part brought to length 1, added with the weights given.
  static func mixedKernel(
    _ a: ArraySlice<Float>, _ b: ArraySlice<Float>, _ parts: [(columns: Range<Int>, weight: Double)]
  ) -> Double {
    func unit(_ row: ArraySlice<Float>, _ columns: Range<Int>) -> ArraySlice<Float> {
      let part = columns.map { Double(row[row.startIndex + $0]) }
      let length = part.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return part.map { Float($0 / length) }[...]
    }
    return parts.reduce(0) { $0 + $1.weight * kernel(unit(a, $1.columns), unit(b, $1.columns)) }
  }

  /// arccos by bisection of the cosine's series, free of any library.
  private static func acosine(_ value: Double) -> Double {
    var low = 0.0
    var high = Double.pi
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if cosine(middle) > value { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  private static func cosine(_ angle: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    for index in 1...14 {
      term *= -angle * angle / Double((2 * index - 1) * 2 * index)
      sum += term
    }
    return sum
  }

  static func inverse(_ matrix: [[Double]]) -> [[Double]] {
    let count = matrix.count
    var work = matrix.enumerated().map { row, values in values + (0..<count).map { $0 == row ? 1 : 0 } }
    for column in 0..<count {
      let pivot = (column..<count).max { abs(work[$0][column]) < abs(work[$1][column]) } ?? column
      work.swapAt(pivot, column)
      let scale = 1 / work[column][column]
      for index in work[column].indices { work[column][index] *= scale }
      for row in 0..<count where row != column {
        let factor = work[row][column]
        for index in work[row].indices { work[row][index] -= factor * work[column][index] }
      }
    }
    return work.map { Array($0[count...]) }
  }

  /// One an example: classes weigh the same, the mean is 1.
  static func weights(_ data: LabelledFeatures) -> [Double] {
    let present = Double(Set(data.labels).count)
    return data.labels.map { label in
      Double(data.labels.count) / (present * Double(data.labels.count { $0 == label }))
    }
  }

  /// Kernel ridge scores of `query` from a training set, at one lambda and the weights given.
  static func ridgeScores(
    _ data: LabelledFeatures, lambda: Double, weights: [Double], query: Matrix<Float>,
    kernel: (ArraySlice<Float>, ArraySlice<Float>) -> Double = Naive.kernel
  ) -> [[Double]] {
    let count = data.labels.count
    guard count > 0 else { return (0..<query.rows).map { _ in [Double](repeating: 0, count: data.classCount) } }
    var system = (0..<count).map { i in
      (0..<count).map { kernel(data.features.row(i), data.features.row($0)) }
    }
    for index in 0..<count { system[index][index] += lambda / weights[index] }
    let solved = inverse(system)
    let coefficients = (0..<data.classCount).map { label in
      (0..<count).map { i in
        (0..<count).reduce(0.0) { $0 + solved[i][$1] * (data.labels[$1] == label ? 1 : -1) }
      }
    }
    return (0..<query.rows).map { row in
      let values = (0..<count).map { kernel(query.row(row), data.features.row($0)) }
      return coefficients.map { weights in zip(weights, values).reduce(0) { $0 + $1.0 * $1.1 } }
    }
  }
}

/// The largest difference between corresponding numbers.
func largestDifference(_ a: Matrix<Float>, _ b: Matrix<Float>) -> Float {
  zip(a.storage, b.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// Each row's highest column.
func answers(_ scores: Matrix<Float>) -> [Int] {
  (0..<scores.rows).map { scores.columnOfLargest(inRow: $0) }
}

func accuracy(_ scores: Matrix<Float>, _ labels: [Int]) -> Double {
  Double(zip(answers(scores), labels).count { $0 == $1 }) / Double(max(1, labels.count))
}

func isFinite(_ matrix: Matrix<Float>) -> Bool { matrix.storage.allSatisfy { $0.isFinite } }
