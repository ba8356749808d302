import CLModels
import Tensor
import Testing

@Suite struct GoldenBackboneTests {
  /// Of the feature's length, which is 1: what single precision leaves after two or three blocks.
  static let relativeTolerance: Float = 1e-4

  /// At the trained resolution and at two others, where positions are resampled.
  @Test(arguments: GoldenBackbone.names)
  func floatFeaturesAreTheLibrarys(name: String) throws {
    let golden = try GoldenBackbone(name)
    for one in golden.cases {
      let backbone = try golden.load(resolution: one.resolution)
      let features = backbone.embed(one.pictures) {}
      #expect(features.rows == one.features.count)
      for (row, expected) in one.features.enumerated() {
        #expect(features.columns == expected.count)
        let difference = zip(features.row(row), expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference <= Self.relativeTolerance, "\(name) at \(one.resolution) px: off by \(difference)")
      }
    }
  }

  /// Tiny random models have no redundancy for rounding to vanish in; real ones do far better.
  @Test(arguments: GoldenBackbone.names)
  func int8FeaturesPointTheSameWay(name: String) throws {
    let golden = try GoldenBackbone(name)
    for one in golden.cases {
      let backbone = try golden.load(.int8, resolution: one.resolution)
      let features = backbone.embed(one.pictures) {}
      for (row, expected) in one.features.enumerated() {
        #expect(cosine(features.row(row), expected) > 0.995, "\(name) at \(one.resolution) px")
      }
    }
  }

  @Test(arguments: InstructionSet.allCases.filter(\.isSupported))
  func everyInstructionSetGivesTheSameFeatures(instructionSet: InstructionSet) throws {
    // Attention multiplies in bfloat16, 8 bits of mantissa, where the processor can.
    let closest = instructionSet == .avx512 ? 0.9995 : 0.9999
    for name in GoldenBackbone.names {
      let golden = try GoldenBackbone(name)
      let images = golden.cases[0].pictures
      let reference = try golden.load(.int8, instructionSet: .scalar).embed(images) {}
      let features = try golden.load(.int8, instructionSet: instructionSet).embed(images) {}
      for row in 0..<images.count { #expect(cosine(reference.row(row), features.row(row)) > closest) }
    }
  }

  @Test func theDescriptionTellsWhatWasLoaded() throws {
    let golden = try GoldenBackbone("clip")
    let description = try golden.load(.int8, resolution: 48).description
    #expect(description.naming == "Hugging Face CLIP")
    #expect(description.resolution == 48)
    #expect(description.patch == 8)
    #expect(description.tokens == 37)
    #expect(description.blocks == 2)
    #expect(description.width == 48)
    #expect(description.heads == 3)
    #expect(description.mlpWidth == 96)
    #expect(description.featureWidth == 40)
  }
}
