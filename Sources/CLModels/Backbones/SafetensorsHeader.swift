import JSONTree

/// What a safetensors file holds, read from its header and checked against the file.
///
/// The format: 8 bytes with the header's length (little-endian), a JSON header, then the tensors' bytes. Checked: the
/// header is at most 16 MB, names are unique, every tensor's bytes are exactly those its shape and type need, and the
/// tensors fill the rest of the file without overlap or gap, as the format's own implementation demands.
package struct SafetensorsHeader: Equatable, Sendable {
  /// A tensor takes some 100 bytes of header. The format's own limit, 100 MB, would make gigabytes of tree.
  package static let headerLimit = 16_000_000
  /// A convolution's weights have 4.
  private static let sideLimit = 8

  /// Number types, by the names the format uses.
  package enum ElementType: String, Sendable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case float8e4m3 = "F8_E4M3"
    case float8e5m2 = "F8_E5M2"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"

    /// Of one number.
    package var bytes: Int {
      switch self {
      case .float64, .int64, .uint64: 8
      case .float32, .int32, .uint32: 4
      case .float16, .bfloat16, .int16, .uint16: 2
      case .float8e4m3, .float8e5m2, .int8, .uint8, .bool: 1
      }
    }
  }

  package struct Tensor: Equatable, Sendable {
    package let type: ElementType
    package let shape: [Int]
    /// Where its bytes are in the file.
    package let range: Range<Int>

    package init(type: ElementType, shape: [Int], range: Range<Int>) {
      self.type = type
      self.shape = shape
      self.range = range
    }
  }

  package let tensors: [String: Tensor]

  /// Reads the header of a whole file.
  package init(file: UnsafeRawBufferPointer) throws(SafetensorsError) {
    guard file.count >= 8 else { throw .truncated }
    let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Self.headerLimit) else { throw .headerTooLarge(limit: Self.headerLimit) }
    let dataStart = 8 + Int(length)
    guard dataStart <= file.count else { throw .truncated }
    // The format wants the object to begin at once; spaces may only follow it.
    guard length > 0, file[8] == UInt8(ascii: "{") else { throw .malformedHeader("it does not begin with {") }

    let document: JSON
    do throws(JSONError) {
      document = try JSON.parse(UnsafeRawBufferPointer(rebasing: file[8..<dataStart]))
    } catch {
      switch error {
      case .malformed(let reason, let offset): throw .malformedHeader("\(reason) at byte \(offset)")
      case .duplicate(let name): throw .duplicateName(name)
      }
    }
    var tensors: [String: Tensor] = [:]
    // In order, so that a file with several faults is always refused for the same one.
    for (name, value) in (document.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      if name == "__metadata__" {
        try Self.checkMetadata(value)
      } else {
        tensors[name] = try Self.tensor(name, value, dataStart: dataStart, fileSize: file.count)
      }
    }
    try Self.checkCover(tensors, dataStart: dataStart, fileSize: file.count)
    self.tensors = tensors
  }

  private static func checkMetadata(_ value: JSON) throws(SafetensorsError) {
    guard let members = value.object, members.values.allSatisfy({ $0.text != nil }) else {
      throw .malformedHeader("__metadata__ is not a map of texts")
    }
  }

  private static func tensor(
    _ name: String, _ value: JSON, dataStart: Int, fileSize: Int
  ) throws(SafetensorsError) -> Tensor {
    // Weights have plain names. Others could only look like one that is meant.
    guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .malformedHeader("a tensor's name is not printable ASCII")
    }
    guard value.object?.count == 3, let typeName = value["dtype"].text, let sides = value["shape"].array,
      let offsets = value["data_offsets"].array, offsets.count == 2
    else { throw .malformedHeader("tensor \(name) needs dtype, shape and data_offsets, and nothing else") }
    guard let type = ElementType(rawValue: typeName) else { throw .unknownType(tensor: name, type: typeName) }

    guard sides.count <= Self.sideLimit else {
      throw .malformedHeader("tensor \(name) has more than \(Self.sideLimit) sides")
    }
    var shape: [Int] = []
    var bytes = type.bytes
    for side in sides {
      guard let side = side.integer, side >= 0 else { throw .malformedHeader("tensor \(name) has a bad shape") }
      let (product, overflow) = bytes.multipliedReportingOverflow(by: side)
      guard !overflow else { throw .wrongSize(tensor: name) }
      bytes = product
      shape.append(side)
    }
    guard let begin = offsets[0].integer, let end = offsets[1].integer, begin >= 0, begin <= end else {
      throw .malformedHeader("tensor \(name) has bad offsets")
    }
    guard end <= fileSize - dataStart else { throw .outOfBounds(tensor: name) }
    guard end - begin == bytes else { throw .wrongSize(tensor: name) }
    return Tensor(type: type, shape: shape, range: dataStart + begin..<dataStart + end)
  }

  private static func checkCover(
    _ tensors: [String: Tensor], dataStart: Int, fileSize: Int
  ) throws(SafetensorsError) {
    var end = dataStart
    let inOrder = tensors.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
        < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
    }
    for (name, tensor) in inOrder {
      guard tensor.range.lowerBound >= end else { throw .overlap(tensor: name) }
      guard tensor.range.lowerBound == end else { throw .gap(before: name) }
      end = tensor.range.upperBound
    }
    guard end == fileSize else { throw .gap(before: nil) }
  }
}
