internal import Glibc
package import Tensor

/// Turns scores into probabilities: `softmax(scores / temperature)`.
package struct Calibration: Sendable {
  /// The temperature that minimises the negative log likelihood of the labels, found by golden section in log T.
  ///
  /// A weak prior, worth one example, holds it near `defaultTemperature`, so that a handful of examples that are all
  /// right do not give certainty; the result is within a factor 1000 of that default and always positive and finite. It
  /// is 1 without examples.
  package static func fitTemperature(scores: Matrix<Float>, labels: [Int]) -> Float {
    precondition(scores.rows == labels.count, "one label a row")
    let middle = log(Double(defaultTemperature(scores)))
    guard scores.rows > 0, scores.columns > 1 else { return Float(exp(middle)) }
    func loss(_ logTemperature: Double) -> Double {
      let factor = exp(-logTemperature)
      var sum = (logTemperature - middle) * (logTemperature - middle) / 2
      for (row, label) in labels.enumerated() {
        let values = scores.row(row)
        let highest = Double(values.max() ?? 0)
        var total = 0.0
        for value in values { total += exp((Double(value) - highest) * factor) }
        sum += log(total) - (Double(values[values.startIndex + label]) - highest) * factor
      }
      return sum
    }
    let ratio = (5.0.squareRoot() - 1) / 2
    var low = middle - log(1000)
    var high = middle + log(1000)
    var left = high - ratio * (high - low)
    var right = low + ratio * (high - low)
    var lossLeft = loss(left)
    var lossRight = loss(right)
    while high - low > 1e-3 {
      if lossLeft <= lossRight {
        (high, right, lossRight) = (right, left, lossLeft)
        left = high - ratio * (high - low)
        lossLeft = loss(left)
      } else {
        (low, left, lossLeft) = (left, right, lossRight)
        right = low + ratio * (high - low)
        lossRight = loss(right)
      }
    }
    return Float(exp((low + high) / 2))
  }

  /// The mean negative log likelihood of the labels under `softmax(scores / temperature)`, in nats; 0 without examples.
  package static func loss(scores: Matrix<Float>, labels: [Int], temperature: Float) -> Double {
    precondition(scores.rows == labels.count, "one label a row")
    guard !labels.isEmpty else { return 0 }
    var sum = 0.0
    for (row, label) in labels.enumerated() {
      let values = scores.row(row)
      let highest = Double(values.max() ?? 0)
      var total = 0.0
      for value in values { total += exp((Double(value) - highest) / Double(temperature)) }
      sum += log(total) - (Double(values[values.startIndex + label]) - highest) / Double(temperature)
    }
    return sum / Double(labels.count)
  }

  /// What is used before there is evidence: a quarter of how far the best score stands above the mean, on average; 1 when
  /// the scores do not differ or there are none.
  package static func defaultTemperature(_ scores: Matrix<Float>) -> Float {
    guard scores.rows > 0, scores.columns > 1 else { return 1 }
    var sum = 0.0
    for row in 0..<scores.rows {
      let values = scores.row(row)
      var mean = 0.0
      for value in values { mean += Double(value) }
      sum += Double(values.max() ?? 0) - mean / Double(scores.columns)
    }
    let distance = sum / Double(scores.rows)
    return distance > 1e-6 && distance < 1e6 ? Float(distance / 4) : 1
  }

  /// Probabilities of one row of scores; they sum to 1. `temperature` is positive.
  package static func probabilities(_ scores: ArraySlice<Float>, temperature: Float) -> [Float] {
    let highest = scores.max() ?? 0
    let weights = scores.map { exp(Double(($0 - highest) / temperature)) }
    let total = weights.reduce(0, +)
    return weights.map { Float($0 / total) }
  }

  /// Probabilities of one row of scores; they sum to 1. `temperature` is positive.
  package static func probabilities(_ scores: [Float], temperature: Float) -> [Float] {
    probabilities(scores[...], temperature: temperature)
  }
}
