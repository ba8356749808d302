/// Header fields: an ordered multi-map with names compared without case.
///
/// The fields are ranges into one byte buffer, so that a parsed head costs no string until one is asked for.
/// Not meant for thousands of fields: every look-up is a linear search.
package struct HTTPHeaders: Sendable {
  /// Where one field lies in `storage`.
  struct Field: Sendable {
    var name: Range<UInt32>
    var value: Range<UInt32>
  }

  private(set) var storage: [UInt8]
  private(set) var fields: [Field]

  /// No fields.
  package init() {
    storage = []
    fields = []
  }

  /// Fields of a parsed head. The ranges must lie inside `storage`.
  init(storage: [UInt8], fields: [Field]) {
    self.storage = storage
    self.fields = fields
  }

  /// The number of field lines.
  package var count: Int { fields.count }

  /// The first value of the field, or nil. Setting replaces every line of that name; nil removes them.
  package subscript(name: String) -> String? {
    get { fields.first { matches($0, name) }.map { string($0.value) } }
    set {
      fields = fields.filter { !matches($0, name) }
      if let newValue { add(name, newValue) }
    }
  }

  /// Every value of the field, in order.
  package func values(_ name: String) -> [String] {
    fields.filter { matches($0, name) }.map { string($0.value) }
  }

  /// Whether a field line with that name exists.
  package func contains(_ name: String) -> Bool {
    fields.contains { matches($0, name) }
  }

  /// Appends a field line. Characters that would break the framing (controls in the value, anything but a token in the
  /// name) are replaced, by a space and `_`, so that no value can inject a second field.
  package mutating func add(_ name: String, _ value: String) {
    let nameStart = UInt32(truncatingIfNeeded: storage.count)
    if storage.isEmpty { storage.reserveCapacity(128) }
    storage.append(contentsOf: name.utf8.lazy.map { ByteClass.isToken($0) ? $0 : 0x5f })
    let valueStart = UInt32(truncatingIfNeeded: storage.count)
    storage.append(contentsOf: value.utf8.lazy.map { ByteClass.isFieldValue($0) ? $0 : 0x20 })
    let end = UInt32(truncatingIfNeeded: storage.count)
    fields.append(Field(name: nameStart..<valueStart, value: valueStart..<end))
  }

  /// Name of a field as it was written, its bytes compared with `name` without case.
  func matches(_ field: Field, _ name: String) -> Bool {
    let utf8 = name.utf8
    guard utf8.count == field.name.count else { return false }
    var index = Int(field.name.lowerBound)
    for byte in utf8 {
      if ByteClass.lowercased(storage[index]) != ByteClass.lowercased(byte) { return false }
      index += 1
    }
    return true
  }

  func string(_ range: Range<UInt32>) -> String {
    String(decoding: storage[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
  }
}

extension HTTPHeaders: Sequence {
  /// The field lines as (name, value) in the order they came.
  package func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
    fields.map { (name: string($0.name), value: string($0.value)) }.makeIterator()
  }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { add(name, value) }
  }
}

extension HTTPHeaders: Equatable {
  /// The same names (without case) and values in the same order.
  package static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left.fields, right.fields).allSatisfy { one, other in
      left.matches(one, right.string(other.name)) && left.string(one.value) == right.string(other.value)
    }
  }
}
