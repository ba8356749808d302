package import CLModels
import Storage
package import Tensor

/// The features that a version reads: the backbone's, and those of what tasks added to it.
package struct ModelSources: Sendable {
  package let bank: SourceBank
  /// What `CrossFitting` judges by; never read for an answer.
  package let shadow: SourceBank
  package let mixture: SourceMixture
  /// For scores of trained features: fitted on examples that they were not trained on. Nil for the backbone alone.
  package let temperature: Float?
  /// What makes them; nil while nothing but the backbone is read.
  package let extended: ExtendedBackbone?
  /// Names of what makes each feature: the backbone, then every source of the bank. Features of one key are comparable.
  package let allKeys: [String]
  /// Numbers in each of those features.
  package let widths: [Int]

  /// - Parameter backboneKey: `Embedder.key`.
  package init(
    bank: SourceBank, shadow: SourceBank, mixture: SourceMixture, temperature: Float? = nil,
    backbone: VisionTransformer, backboneKey: String
  ) {
    self.bank = bank
    self.shadow = shadow
    self.mixture = mixture.limited(to: bank)
    self.temperature = self.mixture.isTrained ? temperature : nil
    widths = [backbone.description.featureWidth] + bank.widths(backbone.description)
    extended = Self.extended(self.mixture, backbone, bank)
    allKeys = [backboneKey] + Self.keys(of: bank, backboneKey: backboneKey)
  }

  /// The backbone alone, of features `width` wide.
  package static func backbone(key: String, width: Int) -> ModelSources { ModelSources(key: key, width: width) }

  private init(key: String, width: Int) {
    bank = SourceBank(prompts: PromptBank(isDeep: true), experts: ExpertBank(blocks: 1))
    shadow = bank
    mixture = .backboneOnly
    temperature = nil
    extended = nil
    allKeys = [key]
    widths = [width]
  }

  /// The same bank, of which something is read already, read in another way; what judges say of the confidence holds for
  /// the way that they judged.
  package func reading(_ mixture: SourceMixture) -> ModelSources { ModelSources(self, reading: mixture) }

  private init(_ other: ModelSources, reading mixture: SourceMixture) {
    bank = other.bank
    shadow = other.shadow
    self.mixture = mixture
    temperature = mixture == other.mixture ? other.temperature : nil
    extended = mixture.isTrained ? other.extended : nil
    allKeys = other.allKeys
    widths = other.widths
  }

  private static func extended(
    _ mixture: SourceMixture, _ backbone: VisionTransformer, _ bank: SourceBank
  ) -> ExtendedBackbone? {
    guard mixture.isTrained else { return nil }
    return ExtendedBackbone(
      backbone, prompts: mixture.uses(.prompts) ? bank.prompts : nil,
      experts: mixture.uses(.experts) ? bank.experts : nil)
  }

  /// A task group's features depend on its own numbers; the global group's on all; an expert's on those before it.
  private static func keys(of bank: SourceBank, backboneKey: String) -> [String] {
    func key(_ kind: String, _ bytes: [UInt8]) -> String {
      "\(backboneKey):\(kind):\(Array(SHA256.hash(bytes).prefix(16)).hexadecimal)"
    }
    let groups = bank.prompts.groups.map { PromptBank.encoded($0, isDeep: bank.prompts.isDeep) }
    let prompts = groups.indices.map { index in
      index < bank.prompts.tasks.count
        ? key("task", groups[index]) : key("global", groups.flatMap { $0 })
    }
    var before: [UInt8] = []
    let experts = bank.experts.storedHashes.map { hash in
      before = SHA256.hash(before + hash)
      return key("expert", before)
    }
    return prompts + experts
  }

  /// Which of `allKeys` the head reads.
  package var sources: [Int] { mixture.sources(of: bank) }
  package var keys: [String] { sources.map { allKeys[$0] } }
  /// Those, and the backbone's own, by which everything is compared: what is stored of an example.
  package var storedKeys: Set<String> { Set(keys + [allKeys[0]]) }
  package var kernels: FeatureMixture { mixture.kernels(of: bank, widths: widths) }

  /// Features of an image, one a key of `embeddedKeys`.
  package func embed(_ image: RGBImage, embedder: Embedder, yield: () -> Void) -> [[Float]] {
    extended?.embed(image, yield: yield) ?? [embedder.backbone.embed([image], yield: yield).storage]
  }

  /// Which of `allKeys` `embed` gives features for.
  private var embedded: [Int] {
    guard let extended else { return [0] }
    let groups = bank.prompts.groups.count
    return [0] + (extended.readsPrompts ? Array(1..<1 + groups) : [])
      + (extended.readsExperts ? Array(1 + groups..<allKeys.count) : [])
  }

  package var embeddedKeys: [String] { embedded.map { allKeys[$0] } }

  /// The columns that the head reads, of one image's `embed`.
  package func headRow(_ features: [[Float]]) -> Matrix<Float> {
    let read = Set(sources)
    let storage = zip(embedded, features).filter { read.contains($0.0) }.flatMap(\.1)
    return Matrix(rows: 1, columns: storage.count, storage: storage)
  }
}

extension ExpertBank {
  /// SHA-256 of every expert as it is stored.
  package var storedHashes: [[UInt8]] {
    zip(experts, singles).map { expert, single in expert.storedHash.value { SHA256.hash(single.encoded()) } }
  }
}
