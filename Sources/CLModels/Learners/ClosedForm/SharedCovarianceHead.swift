package import Tensor

/// Linear discriminant with one covariance for all classes: scores are linear in the unit-length feature.
package struct SharedCovarianceHead: Head {
  /// `[classes, width]` and one number a class; a class without examples has `absent` as its bias.
  let weights: Matrix<Float>
  let biases: [Float]

  /// Marks a class without examples: it scores as the lowest of the others.
  static let absent = -Float.greatestFiniteMagnitude

  package var classCount: Int { weights.rows }
  package var featureWidth: Int { weights.columns }

  package func scores(_ features: Matrix<Float>) -> Matrix<Float> {
    precondition(features.columns == featureWidth, "features of another width")
    var result = features.rowsOfUnitLength().multiplied(byTransposed: weights)
    for row in 0..<result.rows {
      var lowest = Float.infinity
      for label in 0..<classCount where biases[label] != Self.absent {
        result[row, label] += biases[label]
        lowest = min(lowest, result[row, label])
      }
      for label in 0..<classCount where biases[label] == Self.absent {
        result[row, label] = lowest == .infinity ? 0 : lowest
      }
    }
    return result
  }

  package func encoded() -> [UInt8] {
    var coder = HeadEncoder(kind: .sharedCovariance)
    coder.append(weights)
    coder.append(Matrix(rows: 1, columns: biases.count, storage: biases))
    return coder.bytes
  }

  init(weights: Matrix<Float>, biases: [Float]) {
    self.weights = weights
    self.biases = biases
  }

  init(from decoder: inout HeadDecoder) throws(LearnerError) {
    weights = try decoder.matrix()
    let row = try decoder.matrix()
    guard row.rows == 1, row.columns == weights.rows else { throw .unreadable("biases do not fit the weights") }
    biases = row.storage
  }
}
