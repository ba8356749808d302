package import JSONTree

/// An error answer as RFC 9457 describes it: `application/problem+json`.
package struct Problem: Error, Sendable, Equatable {
  /// A stable relative URI that names the kind of problem, such as `/problems/body-too-large`. Clients compare it.
  package var type: String
  /// What the kind of problem is: the same for every occurrence.
  package var title: String
  package var status: Int
  /// What happened this time and what to do about it.
  package var detail: String
  /// Further members; the five names of RFC 9457 are ignored here.
  package var extensions: [String: JSON]
  /// Header fields that belong to the answer, such as `Retry-After` or `Allow`.
  package var headers: HTTPHeaders

  package init(
    type: String, title: String, status: Int, detail: String, extensions: [String: JSON] = [:],
    headers: HTTPHeaders = [:]
  ) {
    self.type = type
    self.title = title
    self.status = status
    self.detail = detail
    self.extensions = extensions
    self.headers = headers
  }

  /// The JSON object: type, title, status, detail, then the extensions sorted by name.
  package func json() -> [UInt8] {
    var output: [UInt8] = []
    let members: [(String, JSON)] = [
      ("type", .string(type)), ("title", .string(title)), ("status", .integer(status)), ("detail", .string(detail)),
    ]
    let reserved = ["type", "title", "status", "detail", "instance"]
    let others = extensions.filter { !reserved.contains($0.key) }.sorted { $0.key < $1.key }
    for (index, (name, value)) in (members + others).enumerated() {
      output.append(index == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
      JSONText.append(name, to: &output)
      output.append(UInt8(ascii: ":"))
      value.append(to: &output)
    }
    output.append(UInt8(ascii: "}"))
    return output
  }

  /// The response: the JSON, its media type and the problem's header fields.
  package func response() -> HTTPResponse {
    var response = HTTPResponse(status: status, contentType: "application/problem+json", body: json())
    for (name, value) in headers { response.headers.add(name, value) }
    return response
  }
}
