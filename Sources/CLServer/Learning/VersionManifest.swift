package import CLModels
import FoundationEssentials
package import Storage

/// What a stored version says about itself; its tensors are artifacts.
package struct VersionManifest: Codable, Sendable, Equatable {
  /// Kinds of a version's artifacts.
  package enum ArtifactKind {
    /// The encoded head.
    package static let head = "head"
    /// The ids of its examples, 8 bytes each, little-endian.
    package static let examples = "examples"
    /// The prompts (`PromptBank`).
    package static let prompts = "prompts"
    /// Prompts that were trained on three quarters of the examples, to choose on the rest (`CrossFitting`).
    package static let shadow = "shadow-prompts"
    /// An expert (an `ExpertBank` of one), in the order they read each other; and those that choose. Versions share them.
    package static let expert = "expert"
    package static let shadowExpert = "shadow-expert"
  }

  /// What artifacts of these kinds are of, as far as they are of sources.
  static func sourceKinds(of artifacts: [String]) -> Set<SourceKind> {
    let owners: [String: SourceKind] = [
      ArtifactKind.prompts: .prompts, ArtifactKind.shadow: .prompts, ArtifactKind.expert: .experts,
      ArtifactKind.shadowExpert: .experts,
    ]
    return Set(artifacts.compactMap { owners[$0] })
  }

  /// What a version stores of its sources besides the head.
  package static func artifacts(of sources: ModelSources) -> [NewArtifact] {
    var found: [NewArtifact] = []
    for (bank, prompts, expert) in [
      (sources.bank, ArtifactKind.prompts, ArtifactKind.expert),
      (sources.shadow, ArtifactKind.shadow, ArtifactKind.shadowExpert),
    ] {
      if !bank.prompts.isEmpty { found.append(NewArtifact(kind: prompts, bytes: bank.prompts.encoded())) }
      found += zip(bank.experts.singles, bank.experts.storedHashes).map { single, hash in
        NewArtifact(kind: expert, sha256: hash) { single.encoded() }
      }
    }
    return found
  }

  /// `Embedder.key` of the features it was made from.
  package var features: String
  /// The setting that chose the head.
  package var setting: String
  /// The head that was fitted.
  package var head: String
  package var lambda: Double?
  package var temperature: Float
  /// Class ids by column of the head.
  package var classes: [Int64]
  package var trainingExamples: Int
  package var heldOutExamples: Int
  /// The weights of the sources that the head reads; absent where it is the backbone alone.
  private var sources: [Float]?
  /// What reads them, where it is not the kernel ridge.
  private var readOut: String?

  package var mixture: SourceMixture {
    if readOut == SourceMixture.ReadOut.softmax.rawValue { return .softmax }
    // Versions of before there were experts have three weights.
    guard let sources, (3...4).contains(sources.count) else { return .backboneOnly }
    return SourceMixture(
      backbone: sources[0], tasks: sources[1], global: sources[2], experts: sources.count == 4 ? sources[3] : 0)
  }

  private enum CodingKeys: String, CodingKey {
    case features, setting, head, lambda, temperature, classes, sources
    case trainingExamples = "training_examples"
    case heldOutExamples = "held_out_examples"
    case readOut = "read_out"
  }

  package init(
    features: String, setting: String, head: String, lambda: Double?, temperature: Float, classes: [Int64],
    trainingExamples: Int, heldOutExamples: Int, mixture: SourceMixture = .backboneOnly
  ) {
    readOut = mixture.readOut == .kernelRidge ? nil : mixture.readOut.rawValue
    sources = mixture.isTrained ? mixture.weights : nil
    self.features = features
    self.setting = setting
    self.head = head
    self.lambda = lambda
    self.temperature = temperature
    self.classes = classes
    self.trainingExamples = trainingExamples
    self.heldOutExamples = heldOutExamples
  }

  /// Nil when `text` is not a manifest.
  package init?(json text: String) {
    guard let manifest = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else { return nil }
    self = manifest
  }

  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// Ids as the bytes of an artifact.
  package static func encode(examples: some Sequence<Int64>) -> [UInt8] {
    examples.sorted().flatMap { id in withUnsafeBytes(of: id.littleEndian) { Array($0) } }
  }

  /// Ids from the bytes of an artifact; nil when the length does not fit.
  package static func decodeExamples(_ bytes: [UInt8]) -> Set<Int64>? {
    guard bytes.count % 8 == 0 else { return nil }
    var ids: Set<Int64> = []
    for start in stride(from: 0, to: bytes.count, by: 8) {
      var value: UInt64 = 0
      for offset in 0..<8 { value |= UInt64(bytes[start + offset]) << (8 * UInt64(offset)) }
      ids.insert(Int64(bitPattern: value))
    }
    return ids
  }
}
