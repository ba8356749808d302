/// What is kept of an image to recognise near-duplicates: re-encodings, resizings and slight crops of one picture.
///
/// Two images are near-duplicates when their hashes differ in at most `maximumDistance` bits *and* their 16 x 16 thumbnails
/// differ by less than `maximumDifference` of their contrast. The hash alone would merge different drawings on a plain
/// ground; the thumbnails' difference, taken relative to how much there is to see, does not.
package struct NearDuplicateFingerprint: Sendable, Hashable {
  /// Bits of the hash that may differ.
  package static let maximumDistance = 10
  /// Mean absolute difference of the thumbnails over the smaller of their mean absolute deviations.
  package static let maximumDifference: Float = 0.3

  package let hash: PerceptualHash
  /// Brightness, `[16, 16]`.
  package let thumbnail: [UInt8]

  private static let side = 16
  private static let version: UInt8 = 1

  /// Under a millisecond for any image size.
  package init(of image: RGBImage) {
    hash = PerceptualHash(of: image)
    thumbnail = GreyGrid(of: image, columns: Self.side, rows: Self.side).cells.map { UInt8($0.rounded()) }
  }

  package func isNearDuplicate(of other: Self) -> Bool {
    guard hash.distance(to: other.hash) <= Self.maximumDistance else { return false }
    return difference(to: other) < Self.maximumDifference
  }

  /// The thumbnails' mean absolute difference relative to the lesser contrast of the two; 0 for equal thumbnails.
  package func difference(to other: Self) -> Float {
    var sum = 0
    for (a, b) in zip(thumbnail, other.thumbnail) { sum += abs(Int(a) - Int(b)) }
    if sum == 0 { return 0 }
    let contrast = min(deviation, other.deviation)
    return contrast > 0 ? Float(sum) / contrast : .infinity
  }

  /// Sum of the absolute deviations from the mean.
  private var deviation: Float {
    let mean = Float(thumbnail.reduce(0) { $0 + Int($1) }) / Float(thumbnail.count)
    return thumbnail.reduce(0) { $0 + abs(Float($1) - mean) }
  }

  /// 265 bytes: a version, the hash (little-endian), the thumbnail.
  package func encoded() -> [UInt8] {
    [Self.version] + (0..<8).map { UInt8(truncatingIfNeeded: hash.bits >> (8 * UInt64($0))) } + thumbnail
  }

  /// Nil when the bytes are not a fingerprint of this version.
  package init?(encoded bytes: [UInt8]) {
    guard bytes.count == 9 + Self.side * Self.side, bytes[0] == Self.version else { return nil }
    hash = PerceptualHash(bits: bytes[1...8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
    thumbnail = Array(bytes[9...])
  }
}
