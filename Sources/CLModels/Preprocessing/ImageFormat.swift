/// The file formats that are read.
package enum ImageFormat: String, Sendable, CaseIterable {
  case jpeg, png, webp

  /// The registered media type.
  package var mediaType: String { "image/\(rawValue)" }

  /// Recognises a file by its first bytes; nil when it is none of these.
  init?(signatureOf bytes: [UInt8]) {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: PNGDecoder.signature) {
      self = .png
    } else if bytes.count >= 12, bytes.starts(with: Array("RIFF".utf8)), bytes[8..<12].elementsEqual("WEBP".utf8) {
      self = .webp
    } else {
      return nil
    }
  }
}
