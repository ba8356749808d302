/// A validated client command.
package struct ClientInvocation: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    case teach(TeachRequest)
    case ask(files: [String], topK: Int?)
    case tasks
    case classes
    case accuracy
    /// `path` is `/tasks/ID` or `/classes/ID`.
    case forget(path: String)
  }

  package let action: Action
  package let server: String?
  package let key: String?
  package let json: Bool

  package init(
    _ specification: CommandSpecification, _ parsed: CommandSpecification.Parsed
  ) throws(UsageError) {
    server = parsed.values["--server"]
    key = parsed.values["--key"]
    json = parsed.switches.contains("--json")
    switch specification.name {
    case "teach": action = .teach(try TeachRequest(parsed))
    case "ask": action = .ask(files: parsed.operands, topK: try Self.topK(parsed.values["--top-k"]))
    case "tasks": action = .tasks
    case "classes": action = .classes
    case "accuracy": action = .accuracy
    case "forget": action = .forget(path: try Self.forgotten(parsed.operands))
    default: throw UsageError("`\(specification.name)` is no client command")
    }
  }

  private static func topK(_ text: String?) throws(UsageError) -> Int? {
    guard let text else { return nil }
    guard let count = Int(text), (1...10_000).contains(count) else {
      throw UsageError("--top-k must be a whole number from 1 to 10000")
    }
    return count
  }

  private static func forgotten(_ operands: [String]) throws(UsageError) -> String {
    let collections = ["task": "/tasks/", "class": "/classes/"]
    guard operands.count == 2, let collection = collections[operands[0]] else {
      throw UsageError("forget takes `task` or `class` and its id")
    }
    guard let id = Int(operands[1]), id > 0 else {
      throw UsageError("forget: the id must be a whole number; `clserver tasks` and `clserver classes` list them")
    }
    return collection + String(id)
  }
}

/// What `clserver teach` was asked to do.
package struct TeachRequest: Sendable, Equatable {
  package enum Wait: String, Sendable { case serving, ready, none }

  package let name: String
  package let directory: String
  package let learner: String?
  package let holdout: Double?
  package let extend: Bool
  package let wait: Wait

  package init(_ parsed: CommandSpecification.Parsed) throws(UsageError) {
    name = parsed.operands[0]
    directory = parsed.operands[1]
    guard !name.isEmpty else { throw UsageError("teach: the name of the task is empty") }
    learner = parsed.values["--learner"]
    if let learner, TeachingRequest.Learner(rawValue: learner) == nil {
      throw UsageError("--learner must be closed-form, pop or dne")
    }
    if let text = parsed.values["--holdout"] {
      guard let share = Double(text), (0...0.9).contains(share) else {
        throw UsageError("--holdout must be a number from 0 to 0.9")
      }
      holdout = share
    } else {
      holdout = nil
    }
    extend = parsed.switches.contains("--extend")
    let until = parsed.values["--until"]
    guard let wait = Wait(rawValue: until ?? "ready"), wait != .none else {
      throw UsageError("--until must be serving or ready")
    }
    self.wait = parsed.switches.contains("--no-wait") ? .none : wait
  }
}
