package import HTTP
package import JSONTree

extension JSON {
  package func response(_ status: Int = 200) -> HTTPResponse { .json(status, encoded()) }

  package static func integer(_ value: Int64) -> JSON { .integer(Int(value)) }

  /// The value, or null.
  package static func optional(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

  package static func optional(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
}
