import CLModels
import Tensor
import Testing

@Suite struct HeadCodingTests {
  private func heads() throws -> [any Head] {
    let data = clusteredExamples(classes: 3, perClass: [4], width: 6, noise: 1, seed: 1)
    var mixed = data
    mixed.mixture = FeatureMixture([.init(columns: 0..<2, weight: 0.25), .init(columns: 2..<6, weight: 0.75)])
    return try ClosedFormMethod.allCases.map {
      try ClosedForm.fit(data, options: ClosedFormOptions(method: $0, randomFeatureCount: 10), pool: nil).head
    } + [ClosedForm.fit(mixed, options: ClosedFormOptions(method: .kernelRidge), pool: nil).head]
  }

  @Test func aStoredHeadGivesTheSameScores() throws {
    let query = clusteredExamples(classes: 3, perClass: [4], width: 6, noise: 1, seed: 2).features
    for head in try heads() {
      let bytes = head.encoded()
      let read = try HeadCoding.decode(bytes)
      #expect(read.scores(query) == head.scores(query))
      #expect(read.encoded() == bytes)
      #expect(read.classCount == 3 && read.featureWidth == 6)
    }
  }

  @Test func everyShortenedOrLengthenedHeadIsRefused() throws {
    for head in try heads() {
      let bytes = head.encoded()
      for length in 0..<bytes.count {
        #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(Array(bytes[..<length])) }
      }
      #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(bytes + [0]) }
    }
  }

  @Test func hostileBytesNeverTrap() throws {
    var generator = SeededGenerator(seed: 3)
    for head in try heads() {
      let bytes = head.encoded()
      for _ in 0..<300 {
        var broken = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          // Mostly the sizes at the front.
          let place = Int.random(in: 0..<min(48, broken.count), using: &generator)
          broken[place] = UInt8.random(in: 0...255, using: &generator)
        }
        guard let read = try? HeadCoding.decode(broken) else { continue }
        #expect(read.classCount > 0)
      }
      for size in [UInt64.max, 1 << 62, 1 << 32, 0] {
        var broken = bytes
        for index in 0..<8 { broken[12 + index] = UInt8(truncatingIfNeeded: size >> (8 * index)) }
        #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(broken) }
      }
    }
  }

  @Test func numbersThatAreNotFiniteAreRefused() throws {
    let bytes = try heads()[0].encoded()
    var broken = bytes
    for (index, byte) in [0, 0, 0xC0, 0x7F].enumerated() { broken[bytes.count - 4 + index] = UInt8(byte) }
    #expect(throws: LearnerError.self) { _ = try HeadCoding.decode(broken) }
  }
}
