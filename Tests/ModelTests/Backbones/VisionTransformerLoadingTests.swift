import CLModels
import Foundation
import Tensor
import Testing

@Suite struct VisionTransformerLoadingTests {
  /// The golden checkpoint's header, rewritten as text; the tensors stay.
  static func editing(_ golden: GoldenBackbone, _ edit: (String) -> String) -> [UInt8] {
    let length = golden.weights[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = Array(edit(String(decoding: golden.weights[8..<8 + length], as: UTF8.self)).utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
      + golden.weights[(8 + length)...]
  }

  static func failure(_ weights: [UInt8], _ configuration: [UInt8], resolution: Int? = nil) -> BackboneError? {
    do throws(BackboneError) {
      _ = try VisionTransformer(
        weights: weights, configuration: configuration, options: .init(resolution: resolution, precision: .int8))
      return nil
    } catch { return error }
  }

  @Test func aMissingTensorIsNamed() throws {
    let golden = try GoldenBackbone("vit")
    let name = "encoder.layer.1.attention.attention.key.weight"
    let weights = Self.editing(golden) { $0.replacingOccurrences(of: "\"\(name)\"", with: "\"other\"") }
    #expect(Self.failure(weights, golden.configuration) == .missingTensor(name))
  }

  @Test func aWrongShapeIsNamed() throws {
    let golden = try GoldenBackbone("vit")
    let weights = Self.editing(golden) { $0.replacingOccurrences(of: "[80,48]", with: "[48,80]") }
    guard case .wrongShape = Self.failure(weights, golden.configuration) else {
      Issue.record("a transposed matrix was taken")
      return
    }
  }

  @Test func weightsOfIntegersWithoutScalesAreRefused() throws {
    let golden = try GoldenBackbone("clip")
    let weights = Self.editing(golden) { $0.replacingOccurrences(of: "F16", with: "I16") }
    guard case .wrongType(_, "I16") = Self.failure(weights, golden.configuration) else {
      Issue.record("integers were taken for weights")
      return
    }
  }

  @Test func whatIsNotFiniteIsRefused() throws {
    let golden = try GoldenBackbone("vit")
    var weights = golden.weights
    for index in weights.count / 2..<weights.count { weights[index] = 0xFF }
    guard case .notFinite = Self.failure(weights, golden.configuration) else {
      Issue.record("a weight that is not a number was taken")
      return
    }
  }

  @Test func weightsThatOverflowOnceMultipliedAreRefusedByName() throws {
    let golden = try GoldenBackbone("timm-prenorm-layerscale")
    let weights = try golden.weights(exchanging: [
      "blocks.0.ls1.gamma": ([32], Array(repeating: 1e38, count: 32)),
      "blocks.0.attn.proj.weight": ([32, 32], Array(repeating: 100, count: 32 * 32)),
    ])
    #expect(Self.failure(weights, golden.configuration) == .notFinite(tensor: "blocks.0.attn.proj.weight"))
  }

  @Test func aModelWhoseFeaturesOverflowIsRefused() throws {
    let golden = try GoldenBackbone("vit")
    let huge = (shape: [48], values: [Float](repeating: 3e38, count: 48))
    let weights = try golden.weights(exchanging: ["layernorm.weight": huge, "layernorm.bias": huge])
    #expect(Self.failure(weights, golden.configuration) == .featuresNotFinite)
  }

  /// Squares of such numbers leave float32's range at either end.
  @Test(arguments: [-80, 70])
  func featuresOfAnySizeComeToLengthOne(exponent: Int) throws {
    let golden = try GoldenBackbone("vit")
    let factor = Float(sign: .plus, exponent: exponent, significand: 1)
    let weights = try golden.weights(exchanging: [
      "layernorm.weight": ([48], golden.floats("layernorm.weight").map { $0 * factor }),
      "layernorm.bias": ([48], golden.floats("layernorm.bias").map { $0 * factor }),
    ])
    let scaled = try VisionTransformer(weights: weights, configuration: golden.configuration, options: .init())
    let picture = golden.cases[0].pictures[0]
    #expect(scaled.embed([picture]) {}.storage == (try golden.load(.int8).embed([picture]) {}.storage))
  }

  @Test func aPatchOfMoreNumbersThanKernelsSumIsUnsupported() throws {
    let golden = try GoldenBackbone("vit")
    let side = 152
    let weights = try golden.weights(exchanging: [
      "embeddings.patch_embeddings.projection.weight": (
        [48, 3, side, side], Array(repeating: 0, count: 48 * 3 * side * side)
      )
    ])
    let error = Self.failure(weights, Array(#"{"num_attention_heads":3}"#.utf8))
    guard case .unsupported(let reason) = error, reason.contains("\(3 * side * side) inputs") else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func otherKindsOfModelsAreRefusedByName() throws {
    let golden = try GoldenBackbone("dinov2")
    let registers = Self.editing(golden) {
      $0.replacingOccurrences(of: "embeddings.mask_token", with: "embeddings.register_tokens")
    }
    #expect(Self.failure(registers, golden.configuration) == .unsupported("it has register tokens"))
    let text = Self.editing(golden) { $0.replacingOccurrences(of: "embeddings.cls_token", with: "word_embeddings") }
    guard case .unsupported = Self.failure(text, golden.configuration) else {
      Issue.record("a model without a class token was taken")
      return
    }
  }

  @Test(arguments: [
    "", "[]", "{", #"{"num_attention_heads":0}"#, #"{"num_attention_heads":7}"#, #"{"hidden_act":"relu"}"#,
    #"{"num_attention_heads":3,"layer_norm_eps":-1}"#, #"{"num_attention_heads":3,"image_mean":[1,2]}"#,
    #"{"num_attention_heads":3,"layer_norm_eps":1e-46}"#, #"{"num_attention_heads":3,"layer_norm_eps":1e-39}"#,
    #"{"num_attention_heads":3,"image_mean":[0,1e39,0]}"#, #"{"num_attention_heads":3,"image_std":[1,1,1e39]}"#,
    #"{"num_attention_heads":3,"image_std":[1,1e-39,1]}"#, #"{"num_attention_heads":3,"image_std":[1,0,1]}"#,
    #"{"num_attention_heads":3,"image_size":224}"#,
    #"{"num_attention_heads":3,"num_attention_heads":3}"#,
  ])
  func badConfigurationsAreRefused(configuration: String) throws {
    let golden = try GoldenBackbone("vit")
    #expect(Self.failure(golden.weights, Array(configuration.utf8)) != nil)
  }

  @Test(arguments: [0, -8, 12, 31, 8 * 129, Int.max])
  func badResolutionsAreRefused(resolution: Int) throws {
    let golden = try GoldenBackbone("vit")
    guard case .unsupported = Self.failure(golden.weights, golden.configuration, resolution: resolution) else {
      Issue.record("\(resolution) pixels were taken")
      return
    }
  }

  /// Damage anywhere in a whole checkpoint is refused or computes something; it never traps.
  @Test func damagedCheckpointsDoNotTrap() throws {
    var generator = SeededGenerator(seed: 11)
    for name in ["timm-prenorm-layerscale", "clip"] {
      let golden = try GoldenBackbone(name)
      let headerLength = golden.weights[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
      for _ in 0..<300 {
        var weights = golden.weights
        let digits = Array("0123456789".utf8)
        let at = Int.random(in: 8..<8 + headerLength, using: &generator)
        weights[at] = digits.contains(weights[at]) ? digits.randomElement(using: &generator) ?? 0 : weights[at] ^ 4
        _ = Self.failure(weights, golden.configuration)
      }
    }
  }

  @Test func aFeatureDoesNotDependOnItsCompany() throws {
    let golden = try GoldenBackbone("clip")
    let images = golden.cases[0].pictures
    let backbone = try golden.load(.int8)
    let many = backbone.embed([images[0], images[1], images[1], images[0], images[0]]) {}
    let alone = backbone.embed([images[0]]) {}
    for row in [0, 3, 4] { #expect(Array(many.row(row)) == Array(alone.row(0))) }
    #expect(backbone.embed([]) {}.rows == 0)
  }

  @Test func concurrentCallsDoNotDisturbEachOther() async throws {
    let golden = try GoldenBackbone("timm")
    let images = golden.cases[0].pictures
    let backbone = try golden.load(.int8)
    let expected = images.map { backbone.embed([$0]) {}.storage }
    let pool = ComputePool(workers: 4)
    defer { pool.shutdown() }
    pool.forEach(200, priority: .background) { index in
      #expect(backbone.embed([images[index % 2]]) { pool.yield() }.storage == expected[index % 2])
    }
  }

  @Test func featuresHaveLengthOne() throws {
    let golden = try GoldenBackbone("dinov2")
    let features = try golden.load(.int8).embed(golden.cases[0].pictures) {}
    for row in 0..<features.rows {
      let length = features.row(row).reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(abs(length - 1) < 1e-5)
    }
  }
}
