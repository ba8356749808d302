/// 8-bit RGB, row-major `[height, width, 3]`.
package struct RGBImage: Sendable, Equatable {
  package let width: Int
  package let height: Int
  /// `width * height * 3` bytes.
  package var pixels: [UInt8]

  /// The caller guarantees `pixels.count == width * height * 3` and both sides at least 1.
  package init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "an image's bytes do not fit its sides")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
