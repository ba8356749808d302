import FoundationEssentials
package import HTTP

/// Decodes JSON bodies: the nesting is checked first, and what does not fit is named.
package enum JSONBody {
  package static func decode<Value: Decodable>(_ body: [UInt8], depth: Int) throws(Problem) -> Value {
    if JSONNesting.depth(of: body, upTo: depth) > depth {
      throw ServiceProblems.tooDeep(limit: depth)
    }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(body))
    } catch let error as DecodingError {
      throw problem(error)
    } catch {
      throw ServiceProblems.invalid("body", "not valid JSON")
    }
  }

  private static func problem(_ error: DecodingError) -> Problem {
    switch error {
    case .keyNotFound(let key, let context): ServiceProblems.unprocessable(path(context, key), "it is missing")
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      ServiceProblems.unprocessable(path(context), "it is of another type")
    case .dataCorrupted: ServiceProblems.invalid("body", "not valid JSON")
    @unknown default: ServiceProblems.invalid("body", "not valid JSON")
    }
  }

  private static func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
    let keys = context.codingPath.map { $0 } + (key.map { [$0] } ?? [])
    return keys.isEmpty ? "body" : keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
  }
}
