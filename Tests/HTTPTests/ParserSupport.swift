import HTTP
import Testing

/// What a parser made of some bytes.
struct Parsed {
  struct Request {
    var head: HTTPRequestHead
    var body: [UInt8] = []
    var isComplete = false

    var text: String { String(decoding: body, as: UTF8.self) }
  }

  var requests: [Request] = []
  var error: HTTPParseError?

  /// Parses bytes that come in pieces of the given size.
  init(
    _ bytes: [UInt8], pieces: Int = .max, limits: HTTPParserLimits = HTTPParserLimits(), bodyLimit: Int = 1 << 30
  ) {
    var parser = HTTPRequestParser(limits: limits, bodyLimit: bodyLimit)
    var index = 0
    while index < bytes.count, error == nil {
      let end = pieces < bytes.count - index ? index + pieces : bytes.count
      parser.append(Array(bytes[index..<end]))
      index = end
      takeEvents(&parser)
    }
  }

  init(_ text: String, pieces: Int = .max, limits: HTTPParserLimits = HTTPParserLimits(), bodyLimit: Int = 1 << 30) {
    self.init(Array(text.utf8), pieces: pieces, limits: limits, bodyLimit: bodyLimit)
  }

  private mutating func takeEvents(_ parser: inout HTTPRequestParser) {
    while true {
      var body: [UInt8] = []
      switch parser.next(into: &body) {
      case .needsMoreBytes: return
      case .head(let head): requests.append(Request(head: head))
      case .bodyBytes: requests[requests.count - 1].body += body
      case .end: requests[requests.count - 1].isComplete = true
      case .failed(let failure):
        error = failure
        return
      }
    }
  }
}

/// A named case of a table.
struct RequestCase: CustomTestStringConvertible, Sendable {
  let name: String
  let bytes: String
  let error: HTTPParseError?

  init(_ name: String, _ bytes: String, _ error: HTTPParseError? = nil) {
    self.name = name
    self.bytes = bytes
    self.error = error
  }

  var testDescription: String { name }
}
