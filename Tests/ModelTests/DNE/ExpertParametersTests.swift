import CLModels
import Tensor
import Testing

@Suite struct ExpertParametersTests {
  /// By the formula of a task attention, h (in out + out) + 2 in^2 + 1 for h heads, and that of its neighbours.
  @Test(arguments: [(1, 2, 0), (4, 1, 0), (7, 2, 0), (1, 2, 3), (16, 2, 40)], [ExpertFeature.own, .correction])
  func areAsManyAsTheFormulasSay(size: (heads: Int, blocks: Int, earlier: Int), kind: ExpertFeature) throws {
    let (heads, blocks, earlier) = size
    // Three heads of 16, an MLP of 96.
    let backbone = try GoldenBackbone("clip").load().description
    let shape = ExpertShape(heads: heads, blocks: blocks, earlierHeads: earlier, feature: kind, backbone: backbone)
    let slice = 16 * heads
    func mixing(_ inputs: Int, _ outputs: Int) -> Int {
      let values = (3 + earlier + heads) * (inputs * outputs + outputs)
      return values + 2 * inputs * inputs + 1
    }
    let attention = 4 * slice * slice + slice
    let block = attention + 4 * slice + mixing(16, 32) + mixing(32, 16)
    let feature = kind == .own ? 2 * slice : backbone.featureWidth
    let correction = kind == .own ? 0 : feature * 2 * slice + feature
    let ends = slice * 48 + slice + 4 * slice + correction
    #expect(shape.parameterCount == ends + blocks * block)
    #expect(shape.featureWidth == feature)
    // The ranges follow one another without a gap.
    var end = 0
    for (name, range) in shape.namedRanges {
      #expect(range.lowerBound == end, "\(name)")
      end = range.upperBound
    }
    #expect(end == shape.parameterCount)
  }

  @Test func flatNumbersComeBackAsTheyWere() throws {
    let shape = ExpertShape(
      heads: 2, blocks: 2, earlierHeads: 3, feature: .correction, backbone: try GoldenBackbone("vit").load().description
    )
    let flat = normal(1, shape.parameterCount, seed: 1).storage
    #expect(ExpertParameters(shape, flat).flat == flat)
    let zeros = ExpertGradient(shape).flat(for: ExpertParameters(shape, flat))
    #expect(zeros == [Float](repeating: 0, count: flat.count))
  }

  @Test func startsAsTheAuthorsDo() throws {
    // Three heads of 16, an MLP of 96, three earlier heads and four new ones.
    let backbone = try GoldenBackbone("clip").load().description
    let shape = ExpertShape(heads: 4, blocks: 1, earlierHeads: 3, feature: .correction, backbone: backbone)
    var generator = SeededGenerator(seed: 1)
    let flat = ExpertStart.parameters(shape, generator: &generator)
    let ranges = shape.ranges
    let block = ranges.blocks[0]
    func deviation(_ range: Range<Int>) -> Double {
      let squares = flat[range].reduce(0.0) { $0 + Double($1) * Double($1) }
      return (squares / Double(range.count)).squareRoot()
    }
    let expected: [(Range<Int>, Double)] = [
      (ranges.input.weights, 1 / 48.0.squareRoot()), (block.query, 0.02), (block.key, 0.02),
      (block.attentionOutput.weights, 0.02), (block.down.query, 0.02), (block.down.key, 0.02),
      (block.up.values, 1 / 160.0.squareRoot()), (block.down.values, 1 / 320.0.squareRoot()),
    ]
    // Of a thousand numbers and more the deviation is known to a few percent.
    for (range, value) in expected { #expect(abs(deviation(range) / value - 1) < 0.1) }
    let identity: [Float] = (0..<64 * 64).map { $0 / 64 == $0 % 64 ? 1 : 0 }
    #expect(Array(flat[block.value]) == identity)
    #expect(flat[block.up.scale] == [6] && flat[block.down.scale] == [6])
    for norm in [block.norm1, block.norm2, ranges.patchNorm, ranges.classNorm] {
      #expect(flat[norm.gain].allSatisfy { $0 == 1 } && flat[norm.bias].allSatisfy { $0 == 0 })
    }
    let correction = try #require(ranges.correction)
    #expect((flat[correction.weights] + flat[correction.bias]).allSatisfy { $0 == 0 })
    for bias in [ranges.input.bias, block.attentionOutput.bias, block.up.biases, block.down.biases] {
      #expect(flat[bias].allSatisfy { $0 == 0 })
    }
  }
}
