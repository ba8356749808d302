package import HTTP
import Storage

/// A request to teach, read but not yet checked.
package struct TeachingRequest: Sendable {
  package var intake: Intake
  package var name: String?
  package var learner: Learner?
  /// Share of each class to hold out; nil for the setting.
  package var holdout: Double?
  package var extend: Bool

  /// How a task is learned: `pop` and `dne` go live by the closed form too, then train prompts or an expert in the
  /// background.
  package enum Learner: String, Sendable, CaseIterable {
    case pop
    case dne
    case closedForm = "closed-form"
  }

  /// What a body may be.
  package static let mediaTypes = "application/x-tar, application/zip, multipart/form-data or application/json"

  /// Reads the body by its media type, and the parameters; a parameter wins over the body's member of that name.
  package init(_ request: HTTPRequest, limits: IntakeLimits) throws(Problem) {
    intake = try Self.intake(request, limits: limits)
    name = (request.queryValue("name") ?? intake.name)?.nfc
    holdout = intake.holdout
    if let text = request.queryValue("holdout") {
      guard let value = Double(text), value >= 0, value < 1 else {
        throw ServiceProblems.unprocessable("holdout", "not a number from 0 to below 1")
      }
      holdout = value
    }
    switch request.queryValue("extend") {
    case nil, "false": extend = false
    case "true": extend = true
    default: throw ServiceProblems.unprocessable("extend", "neither true nor false")
    }
    if let name {
      if let reason = limits.problem(withLabel: name) { throw ServiceProblems.unprocessable("name", reason) }
    }
    if let text = request.queryValue("learner") ?? intake.learner {
      guard let known = Learner(rawValue: text) else {
        let all = Learner.allCases.map(\.rawValue).joined(separator: ", nor ")
        throw ServiceProblems.unprocessable("learner", "neither \(all)")
      }
      learner = known
    }
  }

  /// A hash of everything that the request asks for.
  package var sha256: [UInt8] {
    var hash = SHA256()
    func add(_ bytes: [UInt8]) {
      // Lengths keep two fields from running into each other.
      withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update($0) }
      bytes.withUnsafeBytes { hash.update($0) }
    }
    for text in [name, learner?.rawValue, holdout.map { "\($0)" }, extend ? "extend" : nil] {
      add(Array((text ?? "").utf8))
    }
    for (index, item) in intake.items {
      add(Array("\(index) \(item.isHeldOut.map { "\($0)" } ?? "")".utf8))
      for text in [item.label, item.name, item.group ?? ""] { add(Array(text.utf8)) }
      add(item.bytes)
    }
    for rejection in intake.rejected { add(Array("\(rejection.index) \(rejection.reason)".utf8)) }
    return hash.finalize()
  }

  private static func intake(_ request: HTTPRequest, limits: IntakeLimits) throws(Problem) -> Intake {
    let contentType = request.headers["Content-Type"]
    do {
      switch MediaType.essence(contentType) {
      case "application/x-tar", "application/tar", "application/zip", "application/x-zip-compressed",
        "application/gzip", "application/x-gtar", "application/zstd", "application/x-xz":
        return try IntakeReader.archive(request.body, limits: limits)
      case "application/json":
        return try IntakeReader.json(request.body, limits: limits)
      case "multipart/form-data":
        let parts = try MultipartBody.parts(request, limit: limits.maximumItems, setting: "maximum_items")
        return try IntakeReader.multipart(
          parts: parts.map {
            IntakePart(
              field: $0.name, filename: $0.filename, contentType: $0.contentType, bytes: Array(request.body[$0.body]))
          }, limits: limits)
      default:
        throw ServiceProblems.unsupportedMediaType(contentType, accepted: mediaTypes)
      }
    } catch let error as IntakeError {
      throw problem(error)
    } catch let error as Problem {
      throw error
    } catch {
      throw ServiceProblems.invalid("body", "\(error)")
    }
  }

  private static func problem(_ error: IntakeError) -> Problem {
    switch error {
    case .notAnArchive: ServiceProblems.invalid("body", "neither a tar nor a zip archive")
    case .damagedArchive(let reason): ServiceProblems.invalid("body", "the archive is damaged: \(reason)")
    case .empty: ServiceProblems.unprocessable("body", "there is no example in it")
    case .limit("jsonDepth", let limit): ServiceProblems.tooDeep(limit: limit)
    case .limit(let name, let limit):
      ServiceProblems.overLimit("The request's examples", limit: limit, setting: settingName(name))
    case .malformedJSON(let reason): ServiceProblems.invalid("body", "not valid JSON: \(reason)")
    case .field(let name, let reason): ServiceProblems.unprocessable(name, reason)
    }
  }

  /// `maximumItems` is the setting `maximum_items`.
  private static func settingName(_ property: String) -> String {
    property.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }
}
