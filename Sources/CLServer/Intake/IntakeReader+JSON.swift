import FoundationEssentials

extension IntakeReader {
  /// `{"name", "learner", "holdout", "examples": [{"label", "data", "name", "group"}], "held_out": [...]}`; only one of the
  /// two lists is needed, and of an item only `label` and `data`.
  ///
  /// `data` is standard base64 with its padding and without blanks or line ends. An item that does not fit is rejected with
  /// a reason, and so is one with `url`: fetching is off. Held-out items are numbered after the examples. Other fields are
  /// ignored.
  package static func json(_ body: [UInt8], limits: IntakeLimits) throws(IntakeError) -> Intake {
    // In UTF-8, which JSON is sent in, no byte is zero; the other encodings would hide brackets from the count below.
    guard !body.contains(0) else { throw .malformedJSON("not UTF-8") }
    guard JSONNesting.depth(of: body, upTo: limits.jsonDepth + 1) <= limits.jsonDepth else {
      throw .limit(name: "jsonDepth", limit: limits.jsonDepth)
    }
    let request: TeachingBody
    do {
      request = try JSONDecoder().decode(TeachingBody.self, from: Data(body))
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
      guard let field = context.codingPath.first?.stringValue else { throw .malformedJSON("not an object") }
      throw .field(name: field, reason: context.debugDescription)
    } catch DecodingError.dataCorrupted(let context) {
      throw .malformedJSON(context.debugDescription)
    } catch {
      throw .malformedJSON("\(error)")
    }
    return try intake(request, limits: limits)
  }

  private static func intake(_ request: TeachingBody, limits: IntakeLimits) throws(IntakeError) -> Intake {
    var intake = Intake()
    if let name = request.name { intake.name = try checked(name: name, field: "name", limits: limits) }
    if let learner = request.learner { intake.learner = try checked(name: learner, field: "learner", limits: limits) }
    if let holdout = request.holdout { intake.holdout = try checked(holdout: holdout) }
    let examples = request.examples ?? []
    let heldOut = request.held_out ?? []
    intake.namesHeldOut = !heldOut.isEmpty
    guard examples.count + heldOut.count <= limits.maximumItems else {
      throw .limit(name: "maximumItems", limit: limits.maximumItems)
    }
    var unpacked = 0
    for (items, isHeldOut) in [(examples, nil), (heldOut, true)] as [([TeachingBody.Item], Bool?)] {
      for item in items {
        let name = item.name ?? ""
        if let problem = item.problem {
          intake.reject(limits.shortened(name), problem)
          continue
        }
        guard let bytes = Data(base64Encoded: item.data) else {
          intake.reject(limits.shortened(name), "data: not base64 (standard alphabet, padded, no blanks)")
          continue
        }
        unpacked += bytes.count
        guard unpacked <= limits.maximumUnpackedBytes else {
          throw .limit(name: "maximumUnpackedBytes", limit: limits.maximumUnpackedBytes)
        }
        intake.add(
          IntakeItem(label: item.label, name: name, bytes: Array(bytes), group: item.group, isHeldOut: isHeldOut),
          limits: limits)
      }
    }
    guard intake.count > 0 else { throw .empty }
    return intake
  }
}

/// The body's fields, named as in JSON.
private struct TeachingBody: Decodable {
  var name: String?
  var learner: String?
  var holdout: Double?
  var examples: [Item]?
  // swift-format-ignore: AlwaysUseLowerCamelCase
  var held_out: [Item]?

  /// Decodes whatever it is given, so that one bad item does not spoil the others.
  struct Item: Decodable {
    var label = ""
    var data = ""
    var name: String?
    var group: String?
    var problem: String?

    enum CodingKeys: String, CodingKey {
      case label, data, name, group, url
    }

    init(from decoder: any Decoder) throws {
      guard let fields = try? decoder.container(keyedBy: CodingKeys.self) else {
        problem = "not an object"
        return
      }
      name = text(.name, of: fields)
      group = text(.group, of: fields)
      label = text(.label, of: fields, required: true) ?? ""
      if fields.contains(.data) {
        data = text(.data, of: fields, required: true) ?? ""
      } else {
        problem = problem ?? (fields.contains(.url) ? "url: fetching is off, send data" : "data: missing")
      }
    }

    private mutating func text(
      _ key: CodingKeys, of fields: KeyedDecodingContainer<CodingKeys>, required: Bool = false
    ) -> String? {
      guard fields.contains(key) else {
        if required { problem = problem ?? "\(key.rawValue): missing" }
        return nil
      }
      if !required, (try? fields.decodeNil(forKey: key)) == true { return nil }
      if let text = try? fields.decode(String.self, forKey: key) { return text }
      problem = problem ?? "\(key.rawValue): not a string"
      return nil
    }
  }
}
