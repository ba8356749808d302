import Glibc

/// Bounds that the parser keeps.
package struct HTTPParserLimits: Sendable {
  package var requestLineBytes = 8 * 1024
  package var headerBytes = 32 * 1024
  package var headerFields = 100
  package var trailerBytes = 8 * 1024
  /// Length of one chunk's size line.
  package var chunkLineBytes = 256
  /// Length of all chunk extensions of one body.
  package var chunkExtensionBytes = 16 * 1024

  package init() {}
}

/// An incremental, strict HTTP/1.1 request parser without input or output (RFC 9112).
///
/// Bytes go in by `append` in pieces of any size, events come out of `next`; the same bytes give the same events however
/// they are split. After a failure nothing more is read, because where the next request begins is unknown.
///
/// Strict means: whatever two implementations may read differently is refused. Lines end with CRLF only, a length is
/// given once and in one way, nothing folds, no space stands where the grammar has none.
package struct HTTPRequestParser: Sendable {
  package enum Event: Sendable {
    /// Nothing to report until more bytes are appended.
    case needsMoreBytes
    case head(HTTPRequestHead)
    /// That many bytes of the body were appended to the array given to `next`.
    case bodyBytes(Int)
    /// The request is complete; the next call begins another.
    case end
    case failed(HTTPParseError)
  }

  enum State: Sendable, Equatable {
    /// Before the first byte of a request. One empty line is skipped, as RFC 9112, section 2.2 asks.
    case start(skippedEmptyLine: Bool)
    case head
    case fixedBody(remaining: Int)
    case chunkSize
    case chunkData(remaining: Int)
    case chunkEnd
    case trailer
    case end
    case failed(HTTPParseError)
  }

  let limits: HTTPParserLimits
  /// The longest body that is accepted, in bytes after transfer decoding. May be set after each head.
  package var bodyLimit: Int

  var state = State.start(skippedEmptyLine: false)
  var buffer: [UInt8] = []
  /// Bytes of `buffer` before this index are used up. While a head is read it is the head's first byte.
  var consumed = 0
  /// Where the line begins that is read now.
  var lineStart = 0
  /// Bytes of the line before this index hold no line feed.
  var scanned = 0
  var draft = HeadDraft()
  var bodyReceived = 0
  var trailerFields = 0
  var trailerLength = 0
  var extensionLength = 0

  package init(limits: HTTPParserLimits = HTTPParserLimits(), bodyLimit: Int = .max) {
    self.limits = limits
    self.bodyLimit = bodyLimit
  }

  /// Whether no byte of a request has come that is not used up.
  package var isBetweenRequests: Bool {
    if case .start = state { bufferedCount == 0 } else { false }
  }

  /// Bytes that were appended and not used yet.
  package var bufferedCount: Int { buffer.count - consumed }

  /// Adds bytes from the connection.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    discardConsumed()
    buffer.append(contentsOf: bytes)
  }

  /// Adds bytes from the connection.
  package mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  /// Takes the next event; bytes of the body are appended to `body`.
  package mutating func next(into body: inout [UInt8]) -> Event {
    do throws(HTTPParseError) {
      switch state {
      case .start(let skipped): return try beginRequest(skippedEmptyLine: skipped)
      case .head: return try advanceHead()
      case .fixedBody(let remaining): return try takeFixedBody(remaining, &body)
      case .chunkSize, .chunkData, .chunkEnd, .trailer: return try advanceChunked(&body)
      case .end:
        state = .start(skippedEmptyLine: false)
        return .end
      case .failed(let error): return .failed(error)
      }
    } catch {
      state = .failed(error)
      return .failed(error)
    }
  }

  /// The index of the line feed that ends the current line, or nil when it has not come yet.
  mutating func findLineFeed() -> Int? {
    let from = max(scanned, lineStart)
    let count = buffer.count - from
    guard count > 0 else { return nil }
    let found = buffer.withUnsafeBytes { bytes -> Int? in
      guard let base = bytes.baseAddress, let hit = memchr(base + from, 0x0a, count) else { return nil }
      return UnsafeRawPointer(hit) - base
    }
    scanned = found.map { $0 + 1 } ?? buffer.count
    return found
  }

  private mutating func discardConsumed() {
    guard consumed > 0 else { return }
    if consumed == buffer.count {
      // A buffer that one large read has grown is not kept for the idle time of the connection.
      buffer.removeAll(keepingCapacity: buffer.capacity <= 16 * 1024)
    } else if consumed >= 16 * 1024 || consumed > buffer.count / 2 {
      buffer.removeSubrange(..<consumed)
    } else {
      return
    }
    lineStart = max(0, lineStart - consumed)
    scanned = max(0, scanned - consumed)
    consumed = 0
  }

  private mutating func takeFixedBody(_ remaining: Int, _ body: inout [UInt8]) throws(HTTPParseError) -> Event {
    if bodyReceived == 0, remaining > bodyLimit { throw .bodyTooLarge(limit: bodyLimit) }
    let count = takeBytes(atMost: remaining, &body)
    if count == 0 { return .needsMoreBytes }
    state = count == remaining ? .end : .fixedBody(remaining: remaining - count)
    return .bodyBytes(count)
  }

  /// Moves bytes from the buffer to the body.
  mutating func takeBytes(atMost limit: Int, _ body: inout [UInt8]) -> Int {
    let count = min(limit, bufferedCount)
    guard count > 0 else { return 0 }
    body.append(contentsOf: buffer[consumed..<consumed + count])
    consumed += count
    bodyReceived += count
    return count
  }
}
