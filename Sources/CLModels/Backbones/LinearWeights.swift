/// A Linear's weights on their way from the file to the form that computes: rows are outputs.
struct LinearWeights {
  enum Values {
    /// `[outputs, inputs]`.
    case float([Float])
    /// `[outputs, inputs]` with one scale an output: weight = scale * int8.
    case int8([Int8], scales: [Float])
  }

  /// The tensor they are from, for errors.
  var name: String
  var outputs: Int
  var inputs: Int
  var values: Values
  /// `[outputs]`.
  var bias: [Float]

  /// Some of the outputs, as the query's of a fused projection.
  func rows(_ range: Range<Int>) -> LinearWeights {
    let span = range.lowerBound * inputs..<range.upperBound * inputs
    let values: Values =
      switch self.values {
      case .float(let numbers): .float(Array(numbers[span]))
      case .int8(let numbers, let scales): .int8(Array(numbers[span]), scales: Array(scales[range]))
      }
    return LinearWeights(
      name: name, outputs: range.count, inputs: inputs, values: values, bias: Array(bias[range]))
  }

  /// One Linear with the outputs of several that read the same input. All are float or all int8.
  static func stacked(_ parts: [LinearWeights]) -> LinearWeights {
    var result = parts[0]
    for part in parts.dropFirst() {
      switch (result.values, part.values) {
      case (.float(let one), .float(let other)): result.values = .float(one + other)
      case (.int8(let one, let scales), .int8(let other, let otherScales)):
        result.values = .int8(one + other, scales: scales + otherScales)
      default: preconditionFailure("stacked weights have one precision")
      }
      result.outputs += part.outputs
      result.bias += part.bias
    }
    return result
  }

  /// Whether every weight, and bias, is a finite number; what is finite in the file may not be once multiplied.
  var isFinite: Bool {
    guard bias.allSatisfy(\.isFinite) else { return false }
    return switch values {
    case .float(let numbers): numbers.allSatisfy(\.isFinite)
    case .int8(_, let scales): scales.allSatisfy { (128 * $0).isFinite }
    }
  }

  /// Multiplies every output, bias included, by a factor of its own: how layer scale disappears into the Linear.
  func multiplied(byOutput factors: [Float]) -> LinearWeights {
    var result = self
    for output in 0..<outputs { result.bias[output] *= factors[output] }
    switch values {
    case .float(var numbers):
      for output in 0..<outputs {
        for index in output * inputs..<(output + 1) * inputs { numbers[index] *= factors[output] }
      }
      result.values = .float(numbers)
    case .int8(let numbers, var scales):
      for output in 0..<outputs { scales[output] *= factors[output] }
      result.values = .int8(numbers, scales: scales)
    }
    return result
  }

  /// As int8: each output's weights are divided by its scale, max|w| / 127, and rounded to the nearest integer.
  func quantized() -> LinearWeights {
    guard case .float(let numbers) = values else { return self }
    var scales = [Float](repeating: 0, count: outputs)
    var rounded = [Int8](repeating: 0, count: numbers.count)
    for output in 0..<outputs {
      let row = output * inputs..<(output + 1) * inputs
      var largest: Float = 0
      for index in row { largest = max(largest, abs(numbers[index])) }
      scales[output] = largest / 127
      // Subnormal scales would overflow the division; such weights are zero for every purpose.
      guard scales[output] >= .leastNormalMagnitude else { continue }
      for index in row {
        let steps = (numbers[index] / scales[output]).rounded(.toNearestOrEven)
        rounded[index] = Int8(max(-127, min(127, steps)))
      }
    }
    var result = self
    result.values = .int8(rounded, scales: scales)
    return result
  }

  /// As float32.
  func dequantized() -> LinearWeights {
    guard case .int8(let numbers, let scales) = values else { return self }
    var result = self
    result.values = .float(
      [Float](unsafeUninitializedCapacity: numbers.count) { out, count in
        for output in 0..<outputs {
          for index in output * inputs..<(output + 1) * inputs { out[index] = scales[output] * Float(numbers[index]) }
        }
        count = numbers.count
      })
    return result
  }
}
