package import HTTP
import Storage

/// The `Idempotency-Key` of a request, with what makes two requests the same.
package struct IdempotencyRequest: Sendable {
  package let key: String
  /// Method and path.
  package let scope: String
  package let requestSHA256: [UInt8]

  /// Nil without the header field. The key is 1 to 255 visible ASCII characters.
  ///
  /// What is compared is what the request means, not its bytes: a multipart body has another boundary each time.
  package init?(_ request: HTTPRequest, meaning: TeachingRequest) throws(Problem) {
    guard let key = request.headers["Idempotency-Key"] else { return nil }
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw ServiceProblems.invalid("Idempotency-Key", "not 1 to 255 visible ASCII characters")
    }
    self.key = key
    scope = "\(request.method) \(request.path)"
    requestSHA256 = meaning.sha256
  }

  func entry<Outcome: Sendable>(
    _ response: @escaping @Sendable (Outcome) -> StoredResponse
  ) -> IdempotencyEntry<Outcome> {
    IdempotencyEntry(key: key, scope: scope, requestSHA256: requestSHA256, response: response)
  }
}
