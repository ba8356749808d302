package import CLModels
package import JSONTree
package import Storage

/// The JSON documents of the API, one function each.
extension JSON {
  package static func task(
    _ task: TaskRecord, classes: [TaskClass], progress: TaskProgress?, candidates: [JSON], accuracy: JSON = .null
  ) -> JSON {
    .object([
      "id": .integer(task.id), "name": .string(task.name), "learner": .string(task.learner),
      "state": .string(task.state.rawValue), "serving": .boolean(task.isServing),
      "classes": .array(classes.map(taskClass)), "progress": progress.map(JSON.progress) ?? .null,
      "rejected": .rejected(task.rejected), "candidates": .array(candidates), "accuracy": accuracy,
      "refinement": task.refinement.flatMap { JSON.parse(Array($0.utf8)) } ?? .null,
      "error": .optional(task.error), "holdout": .optional(task.holdout), "created_at": .time(task.createdAt),
      "ready_at": task.readyAt.map(JSON.time) ?? .null,
    ])
  }

  private static func taskClass(_ known: TaskClass) -> JSON {
    .object([
      "id": .integer(known.id), "name": .string(known.name), "examples": .integer(known.training),
      "held_out": .integer(known.heldOut),
    ])
  }

  package static func progress(_ progress: TaskProgress) -> JSON {
    func rounded(_ number: Double?, _ digits: Double) -> JSON {
      number.map { .number(($0 * digits).rounded() / digits) } ?? .null
    }
    return .object([
      "phase": .string(progress.phase), "done": .integer(progress.done), "total": .integer(progress.total),
      "seconds_left": rounded(progress.secondsLeft, 10), "loss": rounded(progress.loss, 10_000),
      "images_per_second": rounded(progress.imagesPerSecond, 10),
    ])
  }

  package static func rejected(_ items: [RejectedItem]) -> JSON {
    .array(
      items.map {
        .object(["index": .integer($0.index), "name": .optional($0.name), "reason": .string($0.reason)])
      })
  }

  package static func classRecord(_ known: ClassRecord) -> JSON {
    .object([
      "id": .integer(known.id), "name": .string(known.name), "task_id": .integer(known.taskID),
      "examples": .integer(known.exampleCount - known.heldOutCount), "held_out": .integer(known.heldOutCount),
      "created_at": .time(known.createdAt),
    ])
  }

  package static func example(_ example: ExampleRecord, label: String) -> JSON {
    .object([
      "id": .integer(example.id), "label": .string(label), "class_id": .integer(example.classID),
      "name": .optional(example.name), "group": .optional(example.group), "held_out": .boolean(example.isHeldOut),
      "sha256": .string(example.sha256.hexadecimal), "created_at": .time(example.createdAt),
    ])
  }

  /// The members of one prediction, without its version.
  package static func prediction(_ ranked: [RankedClass]) -> [String: JSON] {
    var members: [String: JSON] = [
      "top": .array(ranked.map { .object(rankedClass($0)) }),
      // Telling what is none of the classes needs a rule that this server does not have yet.
      "unknown": false,
    ]
    if let best = ranked.first { members.merge(rankedClass(best)) { $1 } }
    return members
  }

  private static func rankedClass(_ ranked: RankedClass) -> [String: JSON] {
    [
      "label": .string(ranked.servingClass.name), "class_id": .integer(ranked.servingClass.id),
      "confidence": .number(Double(ranked.confidence)),
    ]
  }

  /// Milliseconds since 1970 as RFC 3339 in UTC.
  package static func time(_ milliseconds: Int64) -> JSON { .string(Timestamp(milliseconds: milliseconds).rfc3339) }
}

extension BackboneDescription {
  package var document: JSON {
    .object([
      "name": .string(name), "sha256": .string(weightsSHA256), "resolution": .integer(resolution),
      "patch": .integer(patch), "tokens": .integer(tokens), "blocks": .integer(blocks), "width": .integer(width),
      "heads": .integer(heads), "feature_width": .integer(featureWidth), "precision": .string(precision.rawValue),
      "instruction_set": .string(instructionSet.rawValue),
    ])
  }
}

extension [UInt8] {
  /// Two lower-case digits a byte.
  package var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
