package import Tensor

/// The cosine between a feature and each class's mean feature. A class without a mean scores -1.
package struct NearestClassMeanHead: Head {
  /// `[classes, width]`, unit length; zeros for a class without examples.
  let means: Matrix<Float>

  package var classCount: Int { means.rows }
  package var featureWidth: Int { means.columns }

  package func scores(_ features: Matrix<Float>) -> Matrix<Float> {
    precondition(features.columns == featureWidth, "features of another width")
    var result = features.rowsOfUnitLength().multiplied(byTransposed: means)
    for label in 0..<classCount where means.row(label).allSatisfy({ $0 == 0 }) {
      for row in 0..<result.rows { result[row, label] = -1 }
    }
    return result
  }

  package func encoded() -> [UInt8] {
    var coder = HeadEncoder(kind: .nearestClassMean)
    coder.append(means)
    return coder.bytes
  }

  init(means: Matrix<Float>) { self.means = means }

  init(from decoder: inout HeadDecoder) throws(LearnerError) { means = try decoder.matrix() }
}

/// Class means, and exactly the scores without each group: its members are subtracted from the sums.
enum NearestClassMeanFit {
  static func solve(_ examples: CanonicalExamples) -> (head: NearestClassMeanHead, leaveOneOutScores: Matrix<Float>) {
    let width = examples.width
    var sums = Matrix<Double>(rows: examples.classCount, columns: width)
    var counts = [Int](repeating: 0, count: examples.classCount)
    for (row, label) in examples.labels.enumerated() {
      counts[label] += 1
      for column in 0..<width { sums[label, column] += Double(examples.features[row, column]) }
    }
    var means = Matrix<Float>(rows: examples.classCount, columns: width)
    for index in sums.storage.indices { means.storage[index] = Float(sums.storage[index]) }
    // Sums of thousands of roundings can leave a length of 1e-13 where the true mean is zero.
    means = means.rowsOfUnitLength()

    var scores = NearestClassMeanHead(means: means).scores(examples.features)
    for group in examples.groups {
      for label in Set(group.map { examples.labels[$0] }) {
        var rest = (0..<width).map { sums[label, $0] }
        var remaining = counts[label]
        for member in group where examples.labels[member] == label {
          remaining -= 1
          for column in 0..<width { rest[column] -= Double(examples.features[member, column]) }
        }
        let length = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for member in group {
          guard remaining > 0, length > 1e-12 else {
            scores[member, label] = -1
            continue
          }
          var dot = 0.0
          for column in 0..<width { dot += rest[column] * Double(examples.features[member, column]) }
          scores[member, label] = Float(dot / length)
        }
      }
    }
    return (NearestClassMeanHead(means: means), scores)
  }
}

extension Matrix<Float> {
  /// `self other^T`, on the calling thread.
  package func multiplied(byTransposed other: Matrix<Float>) -> Matrix<Float> {
    precondition(columns == other.columns, "inner sides differ")
    var result = Matrix<Float>(rows: rows, columns: other.rows)
    storage.withUnsafeBufferPointer { left in
      other.storage.withUnsafeBufferPointer { right in
        result.storage.withUnsafeMutableBufferPointer { result in
          guard let left = left.baseAddress, let right = right.baseAddress, let result = result.baseAddress else {
            return
          }
          Float.multiply(
            rows, other.rows, columns, alpha: 1, left, columns, right, columns, beta: 0, result, other.rows)
        }
      }
    }
    return result
  }
}
