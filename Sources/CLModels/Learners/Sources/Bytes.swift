/// Writes numbers little-endian.
struct ByteWriter {
  private(set) var bytes: [UInt8]

  init(_ start: [UInt8] = []) { bytes = start }

  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func append(floats: [Float]) {
    bytes.reserveCapacity(bytes.count + floats.count * 4)
    for number in floats { append(number.bitPattern) }
  }
}

/// Reads what `ByteWriter` wrote, and refuses what does not fit.
struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var left: Int { bytes.count - position }
  var isAtEnd: Bool { left == 0 }

  mutating func take(_ count: Int) throws(LearnerError) -> ArraySlice<UInt8> {
    guard count <= left else { throw .unreadable("it ends early") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  mutating func integer<Number: FixedWidthInteger>() throws(LearnerError) -> Number {
    let slice = try take(MemoryLayout<Number>.size)
    return slice.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
  }

  /// Ids of examples.
  mutating func ids(_ count: UInt64) throws(LearnerError) -> [Int64] {
    guard count <= UInt64(left / 8) else { throw .unreadable("it ends early") }
    var ids: [Int64] = []
    for _ in 0..<count { ids.append(try integer()) }
    return ids
  }

  /// Finite numbers.
  mutating func floats(_ count: UInt64) throws(LearnerError) -> [Float] {
    guard count <= UInt64(left / 4) else { throw .unreadable("it ends early") }
    let slice = try take(Int(count) * 4)
    let numbers = slice.withUnsafeBytes { raw in
      (0..<Int(count)).map {
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
      }
    }
    guard numbers.allSatisfy(\.isFinite) else { throw .unreadable("a number is not finite") }
    return numbers
  }
}
