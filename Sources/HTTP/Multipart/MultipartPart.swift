/// Bounds of a multipart body.
package struct MultipartLimits: Sendable {
  package var parts = 10_000
  /// Bytes of one part's header fields.
  package var headerBytes = 8 * 1024
  /// Header fields of one part.
  package var headerFields = 32

  package init() {}
}

/// Why a body is not acceptable multipart/form-data.
package enum MultipartError: Error, Equatable, Sendable {
  /// The content type is not multipart/form-data.
  case notMultipart
  /// The boundary is missing or not 1 to 70 of the characters that RFC 2046 allows.
  case badBoundary
  /// The closing boundary, or a part's end, is missing.
  case truncated
  /// A part's header is malformed, has no form-data disposition or no name.
  case badPartHeader(part: Int)
  case tooManyParts(limit: Int)
  case partHeaderTooLarge(part: Int, limit: Int)
  case tooManyPartFields(part: Int, limit: Int)
}

/// One part of a multipart/form-data body.
package struct MultipartPart: Sendable, Equatable {
  /// The `name` parameter of the disposition.
  package let name: String
  /// The `filename` parameter, `filename*` first. Text from the client: never a path to open.
  package let filename: String?
  /// The part's Content-Type as it was sent.
  package let contentType: String?
  package let headers: HTTPHeaders
  /// Where the part's bytes lie in the body.
  package let body: Range<Int>
}
