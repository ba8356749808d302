/// A JSON document as a tree: what is sent, and what is read where no type of its own describes it (answers of the API,
/// the documents beside weights). Bodies of requests are decoded into types instead.
package enum JSON: Sendable, Equatable {
  case string(String)
  /// Written without fraction and exponent, and fitting: 64-bit integers stay exact.
  case integer(Int)
  case number(Double)
  case boolean(Bool)
  case array([JSON])
  case object([String: JSON])
  case null
}

extension JSON {
  /// The member of an object; null for anything else.
  package subscript(name: String) -> JSON { object?[name] ?? .null }

  /// The element of an array; null outside it or for anything else.
  package subscript(index: Int) -> JSON {
    guard let array, array.indices.contains(index) else { return .null }
    return array[index]
  }

  package var object: [String: JSON]? {
    if case .object(let members) = self { members } else { nil }
  }

  package var array: [JSON]? {
    if case .array(let items) = self { items } else { nil }
  }

  package var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  package var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// A number, if it is finite.
  package var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value.isFinite ? value : nil
    default: nil
    }
  }

  package var isTrue: Bool { self == .boolean(true) }

  /// A string, number or truth value as text; nil for the rest.
  package var plain: String? {
    switch self {
    case .string(let text): text
    case .integer(let value): String(value)
    case .number(let value): Int(exactly: value).map { String($0) } ?? String(value)
    case .boolean(let value): String(value)
    case .null, .array, .object: nil
    }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// Why a document is not JSON.
package enum JSONError: Error, Equatable, Sendable {
  /// What is wrong, and at which byte.
  case malformed(String, offset: Int)
  /// A name occurs twice in one object.
  case duplicate(name: String)
}
