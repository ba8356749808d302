/// Why the bytes of a connection are not an acceptable request. The connection is closed after the answer, because where
/// the next request begins is unknown.
package enum HTTPParseError: Error, Equatable, Sendable {
  /// A line feed without a carriage return before it.
  case bareLineFeed
  /// A carriage return without a line feed after it.
  case bareCarriageReturn
  /// The request line is not `method SP target SP version`.
  case badRequestLine
  /// The target is not of a known form, has an invalid escape or a dot segment.
  case badTarget
  /// An HTTP version other than 1.x.
  case unsupportedVersion
  /// The request line is longer than the limit.
  case targetTooLong(limit: Int)
  /// The head is longer than the limit.
  case headerTooLarge(limit: Int)
  /// There are more field lines than the limit.
  case tooManyFields(limit: Int)
  /// An empty name, a name that is not a token, or space around it (obs-fold is one form of that).
  case badFieldName
  /// A control character in a value.
  case badFieldValue
  /// Host is missing in HTTP/1.1, repeated or malformed.
  case badHost
  /// Content-Length is repeated, not a plain decimal number, or too large to represent.
  case badContentLength
  /// Transfer-Encoding together with Content-Length, in HTTP/1.0, or with chunked not alone and last.
  case badTransferEncoding
  /// A transfer coding other than chunked.
  case unsupportedTransferEncoding
  /// A chunk's size line is malformed, or its data do not end with CRLF.
  case badChunk
  /// A chunk's size line is longer than the limit.
  case chunkLineTooLong(limit: Int)
  /// The chunk extensions of a body are longer together than the limit.
  case chunkExtensionsTooLong(limit: Int)
  /// The body is longer than the limit.
  case bodyTooLarge(limit: Int)
  /// The trailer is larger than its limit.
  case trailerTooLarge(limit: Int)

  /// The status the error is answered with.
  package var status: Int {
    switch self {
    case .unsupportedVersion: 505
    case .targetTooLong: 414
    case .headerTooLarge, .tooManyFields, .trailerTooLarge: 431
    case .unsupportedTransferEncoding: 501
    case .bodyTooLarge: 413
    default: 400
    }
  }
}
