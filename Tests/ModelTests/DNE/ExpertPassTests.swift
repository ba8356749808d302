import CLModels
import Tensor
import Testing

/// What experts read and what reads them.
@Suite struct ExpertPassTests {
  @Test(arguments: GoldenBackbone.names, BackbonePrecision.allCases)
  func aPredictionReadsWhatIsCached(name: String, precision: BackbonePrecision) throws {
    let test = try ExpertCase(name, precision)
    let backbone = test.backbone
    let own = backbone.embed(test.pictures) {}
    let layout = promptLayout([taskRow, globalRow], isDeep: true)
    let prompted = PromptedBackbone(
      backbone, layout: layout, parameters: promptParameters(layout, backbone, seed: 6))
    for blocks in 1...2 {
      let shape = backbone.frozenHeadsShape(blocks: blocks)
      let expert = test.expert(heads: 2, blocks: blocks, seed: 1)
      let room = FrozenHeads(shape: shape)
      for (index, picture) in test.pictures.enumerated() {
        let (feature, heads) = backbone.freezeHeads(picture, blocks: blocks) {}
        #expect(feature == Array(own.row(index)))
        let bytes = heads.withBytes { Array($0) }
        #expect(bytes.count == shape.byteCount)
        let cached = try #require(
          FrozenHeads(shape: shape) { memory in
            memory.copyBytes(from: bytes)
            return true
          })
        let (expected, slices) = expert.run(cached)
        #expect(expected.count == expert.shape.featureWidth && expected.allSatisfy(\.isFinite))
        // In the pass of a prediction, in memory that held another image, and with prompts in the same pass.
        #expect(backbone.embed(picture, filling: room) {} == Array(own.row(index)))
        #expect(expert.run(room).feature == expected)
        #expect(expert.run(room).slices.withBytes { Array($0) } == slices.withBytes { Array($0) })
        let beside = FrozenHeads(shape: shape)
        #expect(prompted.embed([picture], filling: [beside]) {} == prompted.embed([picture]) {})
        #expect(beside.withBytes { Array($0) } == bytes)
      }
      #expect(FrozenHeads(shape: shape) { _ in false } == nil)
    }
  }

  /// Float sums of a few hundred products.
  static let furthestFromEquations = 1e-5

  @Test(arguments: [("clip", true), ("vit", false), ("deit", false)], [1, 2])
  func featuresAreWhatTheEquationsSay(backbone: (name: String, isQuickGELU: Bool), blocks: Int) throws {
    let test = try ExpertCase(backbone.name)
    let first = test.expert(heads: 1, blocks: blocks, seed: 1)
    let second = test.expert(heads: 2, blocks: blocks, earlier: [first], seed: 2)
    let third = test.expert(heads: 1, blocks: blocks, earlier: [first, second], seed: 3)
    let heads = test.frozen(blocks)[0]
    var slices: [ExpertSlices] = []
    for expert in [first, second, third] {
      let result = expert.run(heads, earlier: slices)
      let expected = ExpertReference(expert, isQuickGELU: backbone.isQuickGELU).feature(heads, earlier: slices)
      let distance = relativeDistance(result.feature, expected.map { Float($0) })
      #expect(distance < Self.furthestFromEquations)
      slices.append(result.slices)
    }
  }

  @Test(arguments: BackbonePrecision.allCases)
  func anExpertsFeatureStaysWhateverIsLearnedLater(precision: BackbonePrecision) throws {
    let test = try ExpertCase("clip", precision)
    let first = test.expert(heads: 1, blocks: 2, seed: 1)
    let second = test.expert(heads: 2, blocks: 2, earlier: [first], seed: 2)
    let third = test.expert(heads: 1, blocks: 2, earlier: [first, second], seed: 3)
    for heads in test.frozen(2) {
      let bytes = heads.withBytes { Array($0) }
      let alone = first.run(heads)
      let next = second.run(heads, earlier: [alone.slices])
      _ = third.run(heads, earlier: [alone.slices, next.slices])
      #expect(first.run(heads).feature == alone.feature)
      #expect(second.run(heads, earlier: [first.run(heads).slices]).feature == next.feature)
      #expect(heads.withBytes { Array($0) } == bytes)
    }
  }

  @Test func laterExpertsReadTheEarlierOnes() throws {
    let test = try ExpertCase()
    let first = test.expert(heads: 1, blocks: 2, seed: 1)
    let other = test.expert(heads: 1, blocks: 2, seed: 4)
    let second = test.expert(heads: 2, blocks: 2, earlier: [first], seed: 2)
    let heads = test.frozen(2)[0]
    let beside = second.run(heads, earlier: [first.run(heads).slices]).feature
    #expect(second.run(heads, earlier: [other.run(heads).slices]).feature != beside)
  }

  @Test func slicesWrittenOutAndReadBackAreTheSame() throws {
    let test = try ExpertCase("vit")
    let first = test.expert(heads: 3, blocks: 2, seed: 1)
    let second = test.expert(heads: 1, blocks: 2, earlier: [first], seed: 2)
    for heads in test.frozen(2) {
      let slices = first.run(heads).slices
      let bytes = slices.withBytes { Array($0) }
      #expect(bytes.count == first.shape.slices.byteCount)
      let read = try #require(
        ExpertSlices(shape: first.shape.slices) { memory in
          memory.copyBytes(from: bytes)
          return true
        })
      let (feature, later) = second.run(heads, earlier: [read])
      let fresh = second.run(heads, earlier: [slices])
      #expect(feature == fresh.feature)
      #expect(later.withBytes { Array($0) } == fresh.slices.withBytes { Array($0) })
      #expect(ExpertSlices(shape: first.shape.slices) { _ in false } == nil)
    }
  }

  /// A pass that keeps records, or that had another image before, gives the same bits.
  @Test func passesKeepNothingFromImageToImage() throws {
    let test = try ExpertCase()
    let expert = test.expert(heads: 2, blocks: 2, seed: 5)
    let parameters = ExpertParameters(expert.shape, expert.flat)
    let frozen = test.frozen(2)
    let pass = ExpertPass(test.backbone, shape: expert.shape)
    var sums = ExpertGradient(expert.shape)
    let gradient = Matrix<Float>(rows: 1, columns: expert.shape.featureWidth, repeating: 1)
    for index in [0, 1, 0, 0, 1] {
      let feature = pass.forward(parameters, [ExpertSource(heads: frozen[index])], keepsRecord: true) {}.storage
      #expect(feature == expert.run(frozen[index]).feature)
      pass.backward(gradient, adding: &sums) {}
    }
    let areFinite = sums.flat(for: parameters).allSatisfy { $0.isFinite }
    #expect(areFinite)
  }

  /// Up to three class tokens are added up in another order than more of them; nothing else depends on the company.
  @Test(arguments: [8, 9]) func anImagesFeaturesDoNotDependOnItsCompany(seed: UInt64) throws {
    let test = try ExpertCase()
    let first = test.expert(heads: 1, blocks: 2, seed: 7)
    let expert = test.expert(heads: 2, blocks: 2, earlier: [first], seed: seed)
    let parameters = ExpertParameters(expert.shape, expert.flat)
    let sources = test.frozen(2).map { ExpertSource(heads: $0, earlier: [first.run($0).slices]) }
    let alone = sources.map { expert.run($0.heads, earlier: $0.earlier) }
    let pass = ExpertPass(test.backbone, shape: expert.shape)
    let order = [0, 1, 1, 0, 1]
    let together = pass.forward(parameters, order.map { sources[$0] }) {}
    for (row, image) in order.enumerated() {
      #expect(relativeDistance(together.row(row), alone[image].feature) < 1e-5)
      let patches = expert.shape.feature == .own ? expert.shape.sliceWidth : 0
      #expect(Array(together.row(row).suffix(patches)) == Array(alone[image].feature.suffix(patches)))
      #expect(
        pass.slices(of: row).withBytes { Array($0) } == pass.slices(of: image == 0 ? 0 : 1).withBytes { Array($0) })
    }
    let two = pass.forward(parameters, sources) {}
    for image in 0..<2 {
      #expect(Array(two.row(image)) == alone[image].feature)
      #expect(pass.slices(of: image).withBytes { Array($0) } == alone[image].slices.withBytes { Array($0) })
    }
  }
}

@Suite(.enabled(if: RealBackbone.isPresent, "no backbone: run make backbone, or set CLSERVER_BACKBONE"))
struct RealExpertPassTests {
  @Test func theBackbonesFeatureAndEarlierExpertsKeepEveryBit() throws {
    let backbone = try RealBackbone.load(.int8)
    let images =
      Photographs.arePresent
      ? Photographs.load(2, backbone.preprocessing) : (0..<2).map { RealBackboneTests.picture($0, size: 160) }
    #expect(images.count == 2)
    let first = Expert(backbone, heads: 1, blocks: 4, seed: 1)
    let second = Expert(backbone, heads: 1, blocks: 4, earlier: [first], seed: 2)
    let counts = [1, 4, 7].map {
      ExpertShape(heads: $0, blocks: 4, earlierHeads: 0, feature: .own, backbone: backbone.description).parameterCount
    }
    #expect(counts == [2_393_928, 3_926_280, 6_638_280])
    for image in images {
      let own = backbone.embed([image]) {}.storage
      let (feature, heads) = backbone.freezeHeads(image, blocks: 4) {}
      #expect(feature == own)
      // 1.25 MB.
      #expect(abs(heads.shape.byteCount - 1_250_000) < 10_000)
      let alone = first.run(heads)
      let later = second.run(heads, earlier: [alone.slices]).feature
      let room = FrozenHeads(shape: heads.shape)
      #expect(backbone.embed(image, filling: room) {} == own)
      let again = first.run(room)
      #expect(again.feature == alone.feature)
      #expect(second.run(room, earlier: [again.slices]).feature == later)
      #expect(alone.feature.allSatisfy(\.isFinite) && later.allSatisfy(\.isFinite))
    }
  }
}
