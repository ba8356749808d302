/// The largest image that is decoded. Checked against the file's header before any memory for pixels is taken.
package struct ImageLimits: Sendable, Equatable {
  package var maximumPixels: Int
  /// At most 2^20, whatever is set: resizing counts in 32 bits.
  package var maximumSide: Int

  package init(maximumPixels: Int = 50_000_000, maximumSide: Int = 20_000) {
    self.maximumPixels = maximumPixels
    self.maximumSide = maximumSide
  }

  /// Throws unless an image of `width` x `height` may be decoded.
  func check(width: Int, height: Int) throws(ImageError) {
    guard width > 0, height > 0 else { throw .corrupt("a side is zero") }
    let side = max(width, height)
    let sideLimit = min(maximumSide, 1 << 20)
    guard side <= sideLimit else { throw .tooLongSide(side: side, limit: sideLimit) }
    guard width * height <= maximumPixels else {
      throw .tooManyPixels(pixels: width * height, limit: maximumPixels)
    }
  }
}
