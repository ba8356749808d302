/// A JSON document as it stands: members in order and checked for duplicates, which a decoder into types would hide.
///
/// For the small documents beside weights (safetensors headers, config.json), not for the API's bodies.
indirect enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// The digits as written, so that 64-bit integers stay exact.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  struct Member: Equatable, Sendable {
    var name: String
    var value: JSONValue
  }

  /// A member of an object; nil when absent or when this is no object.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  var string: String? {
    if case .string(let text) = self { text } else { nil }
  }
  var bool: Bool? {
    if case .bool(let flag) = self { flag } else { nil }
  }
  /// Written without fraction or exponent, and fitting.
  var integer: Int? {
    if case .number(let digits) = self { Int(digits) } else { nil }
  }
  /// Finite.
  var double: Double? {
    guard case .number(let digits) = self, let value = Double(digits), value.isFinite else { return nil }
    return value
  }
  var array: [JSONValue]? {
    if case .array(let items) = self { items } else { nil }
  }
  var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }
}

/// Why a document is not JSON.
enum JSONError: Error, Equatable, Sendable {
  /// What is wrong, and at which byte.
  case malformed(String, offset: Int)
  /// A name occurs twice in one object.
  case duplicate(name: String)
}
