internal import Tensor

extension SourceTraining.State {
  private static var magic: [UInt8] { Array("CLST".utf8) }
  private static var format: UInt32 { 1 }

  /// As bytes, little-endian: everything that training goes on from.
  package func encoded() -> [UInt8] {
    var writer = ByteWriter(Self.magic)
    writer.append(Self.format)
    writer.append(UInt64(step))
    for numbers in [
      parameters, moments.firstMoments, moments.secondMoments, logScales, scaleMoments.firstMoments,
      scaleMoments.secondMoments, headRows, headMoments.firstMoments, headMoments.secondMoments,
      losses,
    ] {
      writer.append(UInt64(numbers.count))
      writer.append(floats: numbers)
    }
    writer.append(UInt64(moments.step))
    writer.append(UInt64(scaleMoments.step))
    writer.append(UInt64(headMoments.step))
    return writer.bytes
  }

  package init(_ bytes: [UInt8]) throws(LearnerError) {
    var reader = ByteReader(bytes)
    guard try reader.take(4) == Self.magic[...] else { throw .unreadable("it does not begin as a checkpoint does") }
    let format: UInt32 = try reader.integer()
    guard format == Self.format else { throw .unreadable("format \(format) is unknown") }
    let step: UInt64 = try reader.integer()
    var numbers: [[Float]] = []
    for _ in 0..<10 {
      let count: UInt64 = try reader.integer()
      numbers.append(try reader.floats(count))
    }
    let taken: UInt64 = try reader.integer()
    let scaleTaken: UInt64 = try reader.integer()
    let headsTaken: UInt64 = try reader.integer()
    guard reader.isAtEnd, (0..<9).allSatisfy({ numbers[$0].count == numbers[$0 / 3 * 3].count }),
      [step, taken, scaleTaken, headsTaken].allSatisfy({ $0 < 1 << 32 })
    else { throw .unreadable("its numbers do not fit together") }
    self.init(
      step: Int(step), parameters: numbers[0],
      moments: .init(step: Int(taken), firstMoments: numbers[1], secondMoments: numbers[2]), logScales: numbers[3],
      scaleMoments: .init(step: Int(scaleTaken), firstMoments: numbers[4], secondMoments: numbers[5]),
      headRows: numbers[6],
      headMoments: .init(step: Int(headsTaken), firstMoments: numbers[7], secondMoments: numbers[8]),
      losses: numbers[9])
  }
}
