package import CLModels
import Storage
package import Tensor

/// The features that a version reads: the backbone's, and those of its prompts.
package struct ModelSources: Sendable {
  package let bank: PromptBank
  /// What `CrossFitting` judges by; never read for an answer.
  package let shadow: PromptBank
  package let mixture: SourceMixture
  /// For scores of prompts' features: fitted on examples that they were not trained on. Nil for the backbone alone.
  package let temperature: Float?
  /// What makes them; nil while the prompts are not read.
  package let prompted: PromptedBackbone?
  /// Names of what makes each feature: the backbone, then every group of the bank. Features of one key are comparable.
  package let allKeys: [String]
  private let width: Int

  /// - Parameter backboneKey: `Embedder.key`.
  package init(
    bank: PromptBank, shadow: PromptBank, mixture: SourceMixture, temperature: Float? = nil,
    backbone: VisionTransformer, backboneKey: String
  ) {
    self.bank = bank
    self.shadow = shadow
    self.mixture = mixture.limited(to: bank)
    self.temperature = self.mixture.usesPrompts ? temperature : nil
    width = backbone.description.featureWidth
    prompted =
      self.mixture.usesPrompts
      ? PromptedBackbone(backbone, layout: bank.layout, parameters: bank.parameters) : nil
    allKeys = [backboneKey] + Self.keys(of: bank, backboneKey: backboneKey)
  }

  /// The backbone alone, of features `width` wide.
  package static func backbone(key: String, width: Int) -> ModelSources { ModelSources(key: key, width: width) }

  private init(key: String, width: Int) {
    bank = PromptBank(isDeep: true)
    shadow = bank
    mixture = .backboneOnly
    temperature = nil
    prompted = nil
    allKeys = [key]
    self.width = width
  }

  /// The same bank, of which something is read already, read in another way; what judges say of the confidence holds for
  /// the way that they judged.
  package func reading(_ mixture: SourceMixture) -> ModelSources { ModelSources(self, reading: mixture) }

  private init(_ other: ModelSources, reading mixture: SourceMixture) {
    bank = other.bank
    shadow = other.shadow
    self.mixture = mixture
    temperature = mixture == other.mixture ? other.temperature : nil
    prompted = mixture.usesPrompts ? other.prompted : nil
    allKeys = other.allKeys
    width = other.width
  }

  /// A task group's features depend on its own numbers; the global group's on all.
  private static func keys(of bank: PromptBank, backboneKey: String) -> [String] {
    let encoded = bank.groups.map { PromptBank.encoded($0, isDeep: bank.isDeep) }
    func key(_ kind: String, _ bytes: [UInt8]) -> String {
      "\(backboneKey):\(kind):\(Array(SHA256.hash(bytes).prefix(16)).hexadecimal)"
    }
    return encoded.indices.map { index in
      index < bank.tasks.count
        ? key("task", encoded[index]) : key("global", encoded.flatMap { $0 })
    }
  }

  /// Which of `allKeys` the head reads.
  package var sources: [Int] { mixture.sources(of: bank) }
  package var keys: [String] { sources.map { allKeys[$0] } }
  /// Those, and the backbone's own, by which everything is compared: what is stored of an example.
  package var storedKeys: Set<String> { Set(keys + [allKeys[0]]) }
  package var kernels: FeatureMixture { mixture.kernels(of: bank, width: width) }

  /// Features of an image, one of `width` numbers a key of `embeddedKeys`.
  package func embed(_ image: RGBImage, embedder: Embedder, yield: () -> Void) -> [[Float]] {
    let row = prompted?.embed([image], yield: yield).storage ?? embedder.backbone.embed([image], yield: yield).storage
    return stride(from: 0, to: row.count, by: width).map { Array(row[$0..<$0 + width]) }
  }

  /// What `embed` gives features for.
  package var embeddedKeys: [String] { prompted == nil ? [allKeys[0]] : allKeys }

  /// The columns that the head reads, of one image's `embed`.
  package func headRow(_ features: [[Float]]) -> Matrix<Float> {
    let storage = sources.flatMap { features[$0] }
    return Matrix(rows: 1, columns: storage.count, storage: storage)
  }
}
