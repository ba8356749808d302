package import HTTP

/// A JSON value to be sent.
package typealias JSON = ProblemValue

extension JSON {
  package var text: [UInt8] {
    var output: [UInt8] = []
    append(to: &output)
    return output
  }

  package var string: String { String(decoding: text, as: UTF8.self) }

  package func response(_ status: Int = 200) -> HTTPResponse { .json(status, text) }

  package static func integer(_ value: Int64) -> JSON { .integer(Int(value)) }

  /// The value, or null.
  package static func optional(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

  package static func optional(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
}
