import CLModels
import Tensor
import Testing

/// Prompts over frozen tokens compute what the whole transformer under POP's mask does.
@Suite struct JointTransformerTests {
  /// What single precision leaves of a feature of length 1 after two blocks.
  static let tolerance = 1e-4

  private func largestDifference(_ row: some Collection<Float>, _ expected: [Double]) -> Double {
    guard row.count == expected.count else { return .infinity }
    return zip(row, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
  }

  @Test(arguments: PromptGradientTests.layouts.indices, [true, false])
  func featuresAreThoseOfTheMaskedTransformer(layout index: Int, isDeep: Bool) throws {
    let golden = try GoldenBackbone("vit")
    let joint = try JointTransformer(golden)
    let backbone = try golden.load(.float)
    let layout = promptLayout(PromptGradientTests.layouts[index], isDeep: isDeep)
    let parameters = promptParameters(layout, backbone, seed: UInt64(index))
    let prompted = PromptedBackbone(backbone, layout: layout, parameters: parameters)
    let width = backbone.description.featureWidth
    for picture in golden.cases[0].pictures {
      let expected = joint.features(
        backbone.preprocessing.normalize(picture), side: picture.width, layout: layout, parameters: parameters)
      let row = prompted.embed([picture]) {}.row(0)
      #expect(expected.count == 1 + layout.groups.count)
      for (group, feature) in expected.enumerated() {
        let difference = largestDifference(row.dropFirst(group * width).prefix(width), feature)
        #expect(difference <= Self.tolerance, "group \(group): off by \(difference)")
      }
    }
  }

  /// A prompt that starts as the class token reads the class token and, besides, itself, the same once more. That alone
  /// sets its feature apart from the backbone's: without reading itself it is the backbone's.
  @Test func aPromptAsTheClassTokenDiffersByReadingItselfAlone() throws {
    let golden = try GoldenBackbone("vit")
    let joint = try JointTransformer(golden)
    let backbone = try golden.load(.float)
    var generator = SeededGenerator(seed: 1)
    let start = PromptLayout.start(rows: 1, backbone: backbone, isDeep: true, noise: 0, generator: &generator)
    let layout = promptLayout([taskRow], isDeep: true)
    for picture in golden.cases[0].pictures {
      let planar = backbone.preprocessing.normalize(picture)
      let alone = joint.features(
        planar, side: picture.width, layout: layout, parameters: start, reading: .nothing)
      #expect(cosine(alone[0].map { Float($0) }, alone[1].map { Float($0) }) > 0.9999)
      let twice = joint.features(planar, side: picture.width, layout: layout, parameters: start)
      let row = PromptedBackbone(backbone, layout: layout, parameters: start).embed([picture]) {}.row(0)
      #expect(largestDifference(row.dropFirst(row.count / 2), twice[1]) <= Self.tolerance)
    }
  }
}
