package import Tensor

/// All experts that a version answers with, in the order they were learned. None is ever changed again; each reads those
/// before it.
package struct ExpertBank: Sendable, Equatable {
  /// One task's expert, as it was learned and is stored. Any thread.
  package struct Expert: Sendable, Equatable {
    /// The task it was learned for.
    package let taskID: Int64
    package let heads: Int
    package let feature: ExpertFeature
    /// See `ExpertShape`.
    package let parameters: [Float]
    /// Ids of the examples it was trained on, rising.
    package let examples: [Int64]
    /// A hash of its stored form, for whoever stores it: it is megabytes, and all copies share what was computed once.
    package let storedHash = Once<[UInt8]>()
    /// What passes compute with, shared by all copies: as large as `parameters`.
    private let prepared = Once<ExpertParameters>()

    package init(taskID: Int64, heads: Int, feature: ExpertFeature, parameters: [Float], examples: [Int64]) {
      self.taskID = taskID
      self.heads = heads
      self.feature = feature
      self.parameters = parameters
      self.examples = examples.sorted()
    }

    /// For passes of this shape, which is the same one as long as the expert stands where it was learned.
    func prepared(for shape: ExpertShape) -> ExpertParameters {
      let shared = prepared.value { ExpertParameters(shape, parameters) }
      return shared.shape == shape ? shared : ExpertParameters(shape, parameters)
    }

    package static func == (left: Expert, right: Expert) -> Bool {
      left.taskID == right.taskID && left.heads == right.heads && left.feature == right.feature
        && left.parameters == right.parameters && left.examples == right.examples
    }
  }

  /// How many of the backbone's last blocks every expert stands beside.
  package let blocks: Int
  package private(set) var experts: [Expert]

  package init(blocks: Int, experts: [Expert] = []) {
    self.blocks = blocks
    self.experts = experts
  }

  package var isEmpty: Bool { experts.isEmpty }

  /// With one more expert, in place of the last one if that is of the same task: nothing reads the last one.
  package func learning(_ expert: Expert) -> ExpertBank {
    ExpertBank(blocks: blocks, experts: base(for: expert.taskID).experts + [expert])
  }

  /// What a new expert of a task reads.
  package func base(for taskID: Int64) -> ExpertBank {
    experts.last?.taskID == taskID ? ExpertBank(blocks: blocks, experts: experts.dropLast()) : self
  }

  /// Without every expert that was trained on an example that is not in `known`, and without those that read one of
  /// them.
  package func keeping(_ known: Set<Int64>) -> ExpertBank {
    ExpertBank(
      blocks: blocks, experts: Array(experts.prefix { $0.examples.allSatisfy(known.contains) }))
  }

  /// A bank an expert, as they are stored.
  package var singles: [ExpertBank] { experts.map { ExpertBank(blocks: blocks, experts: [$0]) } }

  /// With the experts of other banks; nil where one is missing or stands beside other blocks.
  package func adding(_ others: [ExpertBank?]) -> ExpertBank? {
    var all = experts
    for other in others {
      guard let other, other.blocks == blocks else { return nil }
      all += other.experts
    }
    return ExpertBank(blocks: blocks, experts: all)
  }

  /// The shapes of all experts beside a backbone, in order.
  package func shapes(_ description: BackboneDescription) -> [ExpertShape] {
    var earlier = 0
    return experts.map { expert in
      defer { earlier += expert.heads }
      return ExpertShape(
        heads: expert.heads, blocks: blocks, earlierHeads: earlier, feature: expert.feature, backbone: description)
    }
  }
}

// MARK: As bytes

extension ExpertBank {
  private static let magic = Array("CLSE".utf8)
  private static let format: UInt32 = 2

  /// "CLSE", a format number, blocks, how many experts; then an expert after the other: task, heads, kind of feature, how many numbers
  /// and examples, the numbers, the ids. Little-endian.
  package func encoded() -> [UInt8] {
    var writer = ByteWriter(Self.magic)
    writer.append(Self.format)
    writer.append(UInt32(blocks))
    writer.append(UInt32(experts.count))
    for expert in experts {
      writer.append(expert.taskID)
      writer.append(UInt64(expert.heads))
      writer.append(UInt32(expert.feature.rawValue))
      writer.append(UInt64(expert.parameters.count))
      writer.append(UInt64(expert.examples.count))
      writer.append(floats: expert.parameters)
      for id in expert.examples { writer.append(id) }
    }
    return writer.bytes
  }

  /// Throws `unreadable`; sizes are checked before memory is taken, numbers must be finite.
  package init(_ bytes: [UInt8]) throws(LearnerError) {
    var reader = ByteReader(bytes)
    guard try reader.take(4) == Self.magic[...] else { throw .unreadable("it does not begin as experts do") }
    let format: UInt32 = try reader.integer()
    guard format == Self.format else { throw .unreadable("format \(format) is unknown") }
    let blocks: UInt32 = try reader.integer()
    let count: UInt32 = try reader.integer()
    guard (1...4096).contains(blocks) else { throw .unreadable("experts beside \(blocks) blocks") }
    var experts: [Expert] = []
    for _ in 0..<count {
      let task: Int64 = try reader.integer()
      let heads: UInt64 = try reader.integer()
      let kind: UInt32 = try reader.integer()
      let numbers: UInt64 = try reader.integer()
      let examples: UInt64 = try reader.integer()
      guard heads <= 1 << 20, ExpertShape.headRange.contains(Int(heads)) else {
        throw .unreadable("an expert has \(heads) heads")
      }
      guard let feature = UInt8(exactly: kind).flatMap(ExpertFeature.init) else {
        throw .unreadable("an expert's feature is of kind \(kind)")
      }
      let parameters = try reader.floats(numbers)
      let ids = try reader.ids(examples)
      experts.append(Expert(taskID: task, heads: Int(heads), feature: feature, parameters: parameters, examples: ids))
    }
    guard reader.isAtEnd else { throw .unreadable("bytes are left over") }
    self.init(blocks: Int(blocks), experts: experts)
  }

  /// Whether the experts are of this backbone's shape.
  package func fits(_ description: BackboneDescription) -> Bool {
    blocks <= description.blocks
      && zip(experts, shapes(description)).allSatisfy { $0.parameters.count == $1.parameterCount }
  }
}
