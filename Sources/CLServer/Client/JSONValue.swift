import FoundationEssentials

/// JSON as it came, for answers whose members may grow.
package enum JSONValue: Sendable, Equatable, Decodable {
  case null
  case truth(Bool)
  case number(Double)
  case string(String)
  case list([JSONValue])
  case members([String: JSONValue])

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .truth(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else {
      self = .members(try container.decode([String: JSONValue].self))
    }
  }

  /// Nil when `bytes` is not JSON.
  package static func parse(_ bytes: [UInt8]) -> JSONValue? {
    try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  }

  /// The member of an object; null for anything else.
  package subscript(name: String) -> JSONValue { object?[name] ?? .null }

  /// The element of a list; null outside it or for anything else.
  package subscript(index: Int) -> JSONValue {
    guard let array, array.indices.contains(index) else { return .null }
    return array[index]
  }

  package var object: [String: JSONValue]? {
    if case .members(let value) = self { value } else { nil }
  }

  package var array: [JSONValue]? {
    if case .list(let value) = self { value } else { nil }
  }

  package var text: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var double: Double? {
    if case .number(let value) = self { value } else { nil }
  }

  package var integer: Int? { double.flatMap { Int(exactly: $0) } }

  package var isTrue: Bool { self == .truth(true) }

  /// A string, number or truth value as text; nil for the rest.
  package var plain: String? {
    switch self {
    case .string(let value): value
    case .number(let value): integer.map(String.init) ?? String(value)
    case .truth(let value): String(value)
    case .null, .list, .members: nil
    }
  }
}
