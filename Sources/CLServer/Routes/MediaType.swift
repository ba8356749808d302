package import HTTP

/// The Content-Type of a request.
package enum MediaType {
  /// The type without parameters, in lower case; nil when there is none.
  package static func essence(_ value: String?) -> String? {
    guard let value else { return nil }
    let essence = value.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
    return essence.isEmpty ? nil : essence.lowercased()
  }
}

/// A request's multipart/form-data body.
package enum MultipartBody {
  /// The parts, or the problem that says what is wrong with the body.
  /// - Parameter setting: what raises the limit.
  package static func parts(_ request: HTTPRequest, limit: Int, setting: String) throws(Problem) -> [MultipartPart] {
    var limits = MultipartLimits()
    limits.parts = limit
    do throws(MultipartError) {
      return try MultipartParser.parse(
        request.body, contentType: request.headers["Content-Type"] ?? "", limits: limits)
    } catch {
      switch error {
      case .tooManyParts(let limit):
        throw ServiceProblems.overLimit("Parts of the body", limit: limit, setting: setting)
      case .notMultipart, .badBoundary:
        throw ServiceProblems.invalid("Content-Type", "its boundary is missing or not valid")
      case .truncated: throw ServiceProblems.invalid("body", "the multipart body has no closing boundary")
      case .badPartHeader(let part): throw ServiceProblems.invalid("body", "the header of part \(part) is not valid")
      case .partHeaderTooLarge(let part, let limit):
        throw ServiceProblems.invalid("body", "the header of part \(part) is over \(limit) bytes")
      case .tooManyPartFields(let part, let limit):
        throw ServiceProblems.invalid("body", "the header of part \(part) has more than \(limit) fields")
      }
    }
  }
}
