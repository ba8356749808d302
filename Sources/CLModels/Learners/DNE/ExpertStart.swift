package import Tensor

/// What an expert starts from, as the authors' code has it: values of attention the identity, other projections and the
/// queries and keys of task attention normal with a deviation of .02; and what keeps sizes as they are: the input's
/// weights 1 / sqrt(width), V_j 1 / sqrt(inputs * heads), lambda the number of old heads. Gains are 1, biases 0. A
/// correction starts as zeros: the expert's feature is the backbone's, rounded to 8 bits.
package enum ExpertStart {
  private static let projectionDeviation = 0.02

  /// `shape.parameterCount` numbers.
  package static func parameters(_ shape: ExpertShape, generator: inout SeededGenerator) -> [Float] {
    let ranges = shape.ranges
    var flat = [Float](repeating: 0, count: ranges.count)
    func draw(_ range: Range<Int>, deviation: Double) {
      for index in range { flat[index] = Float(generator.nextGaussian() * deviation) }
    }
    func fill(_ range: Range<Int>, _ value: Float) {
      for index in range { flat[index] = value }
    }
    func mixing(_ ranges: ExpertRanges.Mixing, inputWidth: Int) {
      draw(ranges.query, deviation: projectionDeviation)
      draw(ranges.key, deviation: projectionDeviation)
      let inputs = inputWidth * (shape.oldHeads + shape.heads)
      draw(ranges.values, deviation: 1 / Double(inputs).squareRoot())
      fill(ranges.scale, Float(shape.oldHeads))
    }
    draw(ranges.input.weights, deviation: 1 / Double(shape.width).squareRoot())
    for block in ranges.blocks {
      fill(block.norm1.gain, 1)
      draw(block.query, deviation: projectionDeviation)
      draw(block.key, deviation: projectionDeviation)
      for column in 0..<shape.sliceWidth { flat[block.value.lowerBound + column * (shape.sliceWidth + 1)] = 1 }
      draw(block.attentionOutput.weights, deviation: projectionDeviation)
      fill(block.norm2.gain, 1)
      mixing(block.up, inputWidth: shape.headWidth)
      mixing(block.down, inputWidth: shape.hiddenWidth)
    }
    fill(ranges.patchNorm.gain, 1)
    fill(ranges.classNorm.gain, 1)
    return flat
  }
}
