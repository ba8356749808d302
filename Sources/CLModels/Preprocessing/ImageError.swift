/// Why bytes did not become an image. Texts are for the person who sent them.
package enum ImageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The first bytes are not those of a JPEG, PNG or WebP file.
  case unknownFormat
  /// The file ends before its last pixel.
  case truncated(String)
  /// The file contradicts its format.
  case corrupt(String)
  /// A valid file of a kind that is not read.
  case unsupported(String)
  case tooManyPixels(pixels: Int, limit: Int)
  case tooLongSide(side: Int, limit: Int)
  case outOfMemory

  package var description: String {
    switch self {
    case .unknownFormat: "not a JPEG, PNG or WebP image"
    case .truncated(let reason): "the image is truncated: \(reason)"
    case .corrupt(let reason): "the image is corrupt: \(reason)"
    case .unsupported(let reason): "the image is not supported: \(reason)"
    case .tooManyPixels(let pixels, let limit): "the image has \(pixels) pixels, the limit is \(limit)"
    case .tooLongSide(let side, let limit): "the image's longer side is \(side) pixels, the limit is \(limit)"
    case .outOfMemory: "no memory for the image"
    }
  }
}
