/// The answer a request got, to be given again when it is repeated.
package struct StoredResponse: Sendable, Equatable {
  package let status: Int
  package let body: [UInt8]
  package let location: String?

  package init(status: Int, body: [UInt8], location: String?) {
    self.status = status
    self.body = body
    self.location = location
  }
}

/// An `Idempotency-Key` and how to answer once the request's outcome is known.
package struct IdempotencyEntry<Outcome: Sendable>: Sendable {
  package let key: String
  /// Method and path.
  package let scope: String
  /// SHA-256 of the request's body: the same key with another body is an error of the client.
  package let requestSHA256: [UInt8]
  /// Called inside the transaction: must be quick and must not call the store.
  package let response: @Sendable (Outcome) -> StoredResponse

  package init(
    key: String, scope: String, requestSHA256: [UInt8], response: @escaping @Sendable (Outcome) -> StoredResponse
  ) {
    self.key = key
    self.scope = scope
    self.requestSHA256 = requestSHA256
    self.response = response
  }
}

/// What is stored for an `Idempotency-Key`.
package struct IdempotencyRecord: Sendable, Equatable {
  package let key: String
  package let scope: String
  package let requestSHA256: [UInt8]
  package let response: StoredResponse
  package let createdAt: Int64
}

/// An API key; the key itself is not stored, only its hash.
package struct APIKeyRecord: Sendable, Equatable {
  package let id: Int64
  package let name: String
  /// `read`, `predict`, `teach`, `admin`.
  package let role: String
  package let createdAt: Int64
  package let revokedAt: Int64?
}

/// Who did what.
package struct AuditRecord: Sendable, Equatable {
  package let id: Int64
  package let at: Int64
  package let actor: String
  package let action: String
  /// JSON object.
  package let detail: String
}
