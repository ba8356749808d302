internal import Tensor

/// Heads as bytes: "CLSH", a format number, the kind of head, then its numbers, all little-endian. Reading checks every
/// size against what is there before it allocates, and refuses numbers that are not finite and bytes left over.
package enum HeadCoding {
  package static func decode(_ bytes: [UInt8]) throws(LearnerError) -> any Head {
    var decoder = try HeadDecoder(bytes)
    let head: any Head
    switch decoder.kind {
    case .kernelRidge, .mixedKernelRidge: head = try KernelRidgeHead(from: &decoder)
    case .randomFeatures: head = try RandomFeaturesHead(from: &decoder)
    case .nearestClassMean: head = try NearestClassMeanHead(from: &decoder)
    case .sharedCovariance: head = try SharedCovarianceHead(from: &decoder)
    case .cosineSoftmax: head = try CosineSoftmaxHead(from: &decoder)
    }
    try decoder.finish()
    return head
  }
}

/// Which head follows in the bytes. Numbers are part of the stored format.
enum HeadKind: UInt32 {
  case kernelRidge = 1
  case randomFeatures = 2
  case nearestClassMean = 3
  case sharedCovariance = 4
  case mixedKernelRidge = 5
  case cosineSoftmax = 6
}

private let magic: [UInt8] = Array("CLSH".utf8)
private let formatVersion: UInt32 = 1

struct HeadEncoder {
  private(set) var bytes: [UInt8] = magic

  init(kind: HeadKind) {
    append(UInt64(formatVersion) | UInt64(kind.rawValue) << 32)
  }

  mutating func append(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Rows, columns, then the numbers as 32-bit floats.
  mutating func append(_ matrix: Matrix<Float>) {
    append(UInt64(matrix.rows))
    append(UInt64(matrix.columns))
    bytes.reserveCapacity(bytes.count + matrix.storage.count * 4)
    for value in matrix.storage {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
  }
}

struct HeadDecoder {
  let kind: HeadKind
  private let bytes: [UInt8]
  private var position: Int

  init(_ bytes: [UInt8]) throws(LearnerError) {
    guard bytes.starts(with: magic) else { throw .unreadable("it does not begin as a head does") }
    guard bytes.count >= 12 else { throw .unreadable("it ends early") }
    let version = UInt32(littleEndianBytes: bytes[4..<8])
    guard version == formatVersion else { throw .unreadable("format \(version) is unknown") }
    let number = UInt32(littleEndianBytes: bytes[8..<12])
    guard let kind = HeadKind(rawValue: number) else { throw .unreadable("head kind \(number) is unknown") }
    self.kind = kind
    self.bytes = bytes
    position = 12
  }

  mutating func integer() throws(LearnerError) -> UInt64 {
    guard bytes.count - position >= 8 else { throw .unreadable("it ends early") }
    defer { position += 8 }
    return bytes[position..<position + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// A matrix with at least one row and one column.
  mutating func matrix() throws(LearnerError) -> Matrix<Float> {
    guard let rows = Int(exactly: try integer()), let columns = Int(exactly: try integer()), rows > 0, columns > 0
    else {
      throw .unreadable("a matrix has no size")
    }
    let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard !overflow, count <= (bytes.count - position) / 4, rows <= Int32.max, columns <= Int32.max else {
      throw .unreadable("a matrix is larger than its bytes")
    }
    let values = bytes.withUnsafeBytes { raw in
      (0..<count).map {
        Float(
          bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: position + $0 * 4, as: UInt32.self)))
      }
    }
    guard values.allSatisfy(\.isFinite) else { throw .unreadable("a number is not finite") }
    position += count * 4
    return Matrix(rows: rows, columns: columns, storage: values)
  }

  func finish() throws(LearnerError) {
    guard position == bytes.count else { throw .unreadable("\(bytes.count - position) bytes are left over") }
  }
}

extension UInt32 {
  fileprivate init(littleEndianBytes bytes: ArraySlice<UInt8>) {
    self = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
