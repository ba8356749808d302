import CLModels
import Testing

/// Damaged files end in an image or an error, never in a trap.
@Suite struct ImageMutationTests {
  /// Small, so that a damaged header costs little.
  private let limits = ImageLimits(maximumPixels: 300_000, maximumSide: 4_000)

  @Test(arguments: ["jpg", "png", "webp"])
  func survivesDamagedFiles(_ ending: String) {
    let files = GoldenImage.all.filter { $0.file.hasSuffix(ending) && $0.file != "large.jpg" }
    let originals = files.map { GoldenImage.bytes($0.file) }
    var generator = MutationGenerator(state: 11)
    var decoded = 0
    var refused = 0
    for round in 0..<4000 {
      var bytes = originals[round % originals.count]
      let other = originals[generator.below(originals.count)]
      switch generator.below(8) {
      case 0: bytes.removeLast(generator.below(bytes.count))
      case 1:
        let start = generator.below(bytes.count)
        bytes.removeSubrange(start..<min(bytes.count, start + 1 + generator.below(64)))
      case 2:
        let start = generator.below(other.count)
        bytes.insert(contentsOf: other[start..<min(other.count, start + 64)], at: generator.below(bytes.count))
      case 3:
        // Headers stand early.
        for _ in 0..<4 { bytes[generator.below(min(bytes.count, 64))] = UInt8(generator.below(256)) }
      default:
        for _ in 0...generator.below(8) {
          let index = generator.below(bytes.count)
          bytes[index] = generator.below(2) == 0 ? bytes[index] ^ 1 << UInt8(generator.below(8)) : 0xFF
        }
      }
      // A wrong checksum would hide all other damage.
      if ending == "png", generator.below(8) > 0 { repairChecksums(of: &bytes) }
      if let image = try? ImageDecoder.decode(bytes, limits: limits) {
        decoded += 1
        #expect(image.pixels.count == image.width * image.height * 3)
      } else {
        refused += 1
      }
    }
    // Both outcomes occur, so that the damage is neither too light nor too heavy to tell anything.
    #expect(decoded > 100 && refused > 100, "\(decoded) decoded, \(refused) refused")
  }

  /// Rewrites the CRC of each PNG chunk that is whole.
  private func repairChecksums(of bytes: inout [UInt8]) {
    var index = 8
    while index + 12 <= bytes.count {
      let length = bytes[index..<(index + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - index - 12 else { return }
      var remainder: UInt32 = 0xFFFF_FFFF
      for byte in bytes[(index + 4)..<(index + 8 + length)] {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1 }
      }
      for byte in 0..<4 {
        bytes[index + 8 + length + byte] = UInt8(truncatingIfNeeded: ~remainder >> UInt32(24 - 8 * byte))
      }
      index += 12 + length
    }
  }
}

/// A linear congruential generator: the same damage in every run.
struct MutationGenerator {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % max(bound, 1)
  }
}
