import FoundationEssentials

/// One part of a multipart/form-data body.
package struct IntakePart: Sendable {
  /// The form field: a class's name, or a setting's.
  package var field: String
  package var filename: String?
  package var contentType: String?
  package var bytes: [UInt8]

  package init(field: String, filename: String?, contentType: String? = nil, bytes: [UInt8]) {
    self.field = field
    self.filename = filename
    self.contentType = contentType
    self.bytes = bytes
  }
}

extension IntakeReader {
  /// Each part is an example of the class its field names, but for `name`, `learner`, `holdout` and `group` without a file
  /// name, which are settings. `group` holds for the parts after it, until the next one; an empty one ends it.
  package static func multipart(parts: [IntakePart], limits: IntakeLimits) throws(IntakeError) -> Intake {
    guard parts.count <= limits.maximumItems else {
      throw .limit(name: "maximumItems", limit: limits.maximumItems)
    }
    var intake = Intake()
    var group: String?
    var unpacked = 0
    for part in parts {
      if part.filename == nil, let setting = Setting(rawValue: part.field) {
        guard let text = String(validating: part.bytes, as: UTF8.self) else {
          throw .field(name: part.field, reason: "not UTF-8")
        }
        switch setting {
        case .name: intake.name = try checked(name: text, field: "name", limits: limits)
        case .learner: intake.learner = try checked(name: text, field: "learner", limits: limits)
        case .holdout: intake.holdout = try checked(holdout: Double(text))
        case .group: group = text.isEmpty ? nil : text
        }
        continue
      }
      unpacked += part.bytes.count
      guard unpacked <= limits.maximumUnpackedBytes else {
        throw .limit(name: "maximumUnpackedBytes", limit: limits.maximumUnpackedBytes)
      }
      intake.add(
        IntakeItem(label: part.field, name: part.filename ?? "", bytes: part.bytes, group: group), limits: limits)
    }
    guard intake.count > 0 else { throw .empty }
    return intake
  }

  private enum Setting: String {
    case name, learner, holdout, group
  }

  /// A share of each class: 0 holds nothing out.
  static func checked(holdout: Double?) throws(IntakeError) -> Double {
    guard let holdout, holdout >= 0, holdout < 1 else {
      throw .field(name: "holdout", reason: "not a number from 0 to below 1")
    }
    return holdout
  }

  static func checked(name: String, field: String, limits: IntakeLimits) throws(IntakeError) -> String {
    if name.isEmpty { throw .field(name: field, reason: "empty") }
    if let problem = limits.problem(withName: name) { throw .field(name: field, reason: problem) }
    return name
  }
}
