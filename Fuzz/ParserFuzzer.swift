// A libFuzzer target for everything that reads untrusted bytes in the HTTP target. The first byte of an input chooses
// the parser and its limits. Besides memory safety it checks what the parsers promise:
// - the same bytes give the same events, in one piece or split anywhere;
// - a request that was parsed, written out again and parsed again is equal;
// - multipart bodies lie inside the input, in order, and survive the same round trip.

private struct Request: Equatable {
  var method: String
  var target: String
  var segments: [String]
  var minorVersion: Int
  var headers: HTTPHeaders
  var framing: BodyFraming
  var keepAlive: Bool
  var expectsContinue: Bool
  var body: [UInt8] = []
  var isComplete = false

  init(_ head: HTTPRequestHead) {
    method = head.method.rawValue
    target = head.target
    segments = head.pathSegments
    minorVersion = head.minorVersion
    headers = head.headers
    framing = head.framing
    keepAlive = head.keepAlive
    expectsContinue = head.expectsContinue
  }

  /// The request as a client would write it.
  var bytes: [UInt8] {
    var bytes = Array("\(method) \(target) HTTP/1.\(minorVersion)\r\n".utf8)
    for field in headers.fields {
      bytes += headers.storage[Int(field.name.lowerBound)..<Int(field.name.upperBound)]
      bytes += Array(":".utf8)
      bytes += headers.storage[Int(field.value.lowerBound)..<Int(field.value.upperBound)]
      bytes += Array("\r\n".utf8)
    }
    bytes += Array("\r\n".utf8)
    guard framing == .chunked else { return bytes + body }
    if !body.isEmpty { bytes += Array("\(String(body.count, radix: 16))\r\n".utf8) + body + Array("\r\n".utf8) }
    return bytes + Array("0\r\n\r\n".utf8)
  }
}

private struct Outcome: Equatable {
  var requests: [Request] = []
  var error: HTTPParseError?
}

private struct Feeder {
  var parser: HTTPRequestParser
  var outcome = Outcome()

  init(_ limits: HTTPParserLimits, bodyLimit: Int) {
    parser = HTTPRequestParser(limits: limits, bodyLimit: bodyLimit)
  }

  mutating func feed(_ bytes: UnsafeRawBufferPointer) {
    parser.append(bytes)
    while outcome.error == nil {
      var body: [UInt8] = []
      switch parser.next(into: &body) {
      case .needsMoreBytes: return
      case .head(let head):
        precondition(head.requestTarget.query.count >= 0 && !head.path.contains("\0"))
        outcome.requests.append(Request(head))
      case .bodyBytes(let count):
        precondition(count == body.count && count > 0)
        outcome.requests[outcome.requests.count - 1].body += body
      case .end: outcome.requests[outcome.requests.count - 1].isComplete = true
      case .failed(let error): outcome.error = error
      }
    }
  }
}

private func fuzzRequests(_ bytes: UnsafeRawBufferPointer, small: Bool, seed: UInt64) {
  var limits = HTTPParserLimits()
  if small {
    limits.requestLineBytes = 40
    limits.headerBytes = 120
    limits.headerFields = 4
    limits.trailerBytes = 24
    limits.chunkLineBytes = 12
    limits.chunkExtensionBytes = 16
  }
  let bodyLimit = small ? 16 : 1 << 20
  var whole = Feeder(limits, bodyLimit: bodyLimit)
  whole.feed(bytes)

  var split = Feeder(limits, bodyLimit: bodyLimit)
  var state = seed | 1
  var index = 0
  while index < bytes.count {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let step = Int(state >> 33) % (state >> 62 == 0 ? 40 : 3) + 1
    let end = min(bytes.count, index + step)
    split.feed(UnsafeRawBufferPointer(rebasing: bytes[index..<end]))
    index = end
  }
  precondition(whole.outcome == split.outcome, "split input gave other events")

  for request in whole.outcome.requests where request.isComplete {
    var again = Feeder(HTTPParserLimits(), bodyLimit: .max)
    request.bytes.withUnsafeBytes { again.feed($0) }
    precondition(again.outcome.error == nil && again.outcome.requests.count == 1, "a parsed request is refused")
    guard let copy = again.outcome.requests.first else { return }
    precondition(copy.isComplete && copy.body == request.body && copy.framing == request.framing)
    precondition(copy.method == request.method && copy.target == request.target && copy.segments == request.segments)
    precondition(copy.headers == request.headers && copy.keepAlive == request.keepAlive)
  }
}

private func fuzzMultipart(_ bytes: UnsafeRawBufferPointer, small: Bool) {
  var limits = MultipartLimits()
  if small {
    limits.parts = 2
    limits.headerBytes = 64
    limits.headerFields = 2
  }
  let body = Array(bytes)
  let type = "multipart/form-data; boundary=b"
  guard let parts = try? MultipartParser.parse(body, contentType: type, limits: limits) else { return }
  var end = 0
  var copy: [UInt8] = []
  for part in parts {
    precondition(part.body.lowerBound >= end && part.body.upperBound <= body.count)
    end = part.body.upperBound
    copy += Array("--b\r\n".utf8)
    for field in part.headers.fields {
      copy += part.headers.storage[Int(field.name.lowerBound)..<Int(field.name.upperBound)]
      copy += Array(":".utf8)
      copy += part.headers.storage[Int(field.value.lowerBound)..<Int(field.value.upperBound)]
      copy += Array("\r\n".utf8)
    }
    copy += Array("\r\n".utf8) + body[part.body] + Array("\r\n".utf8)
  }
  copy += Array("--b--".utf8)
  guard let again = try? MultipartParser.parse(copy, contentType: type) else {
    preconditionFailure("a parsed multipart body is refused")
  }
  precondition(again.count == parts.count)
  for (one, other) in zip(parts, again) {
    precondition(one.name == other.name && one.filename == other.filename && one.headers == other.headers)
    precondition(body[one.body].elementsEqual(copy[other.body]))
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 0 else { return 0 }
  let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
  var seed: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01b3 }
  let small = start[0] & 1 == 1
  switch start[0] & 6 {
  case 6: fuzzMultipart(bytes, small: small)
  case 4: fuzzConnection(bytes, small: small, seed: seed)
  default: fuzzRequests(bytes, small: small, seed: seed)
  }
  return 0
}
