package import CLModels
import HTTP
package import JSONTree
import Storage

extension API {
  func addAccuracyRoutes(to router: inout Router) {
    add(.get, "/accuracy", to: &router, reading { _ in try accuracy().response() })
    add(
      .get, "/versions", to: &router,
      reading { _ in
        JSON.object(["versions": .array(try store.versions(limit: 100).map(Self.version))]).response()
      })
  }

  private static func version(_ version: VersionRecord) -> JSON {
    let manifest = VersionManifest(json: version.manifest)
    return .object([
      "id": .integer(version.id), "created_at": .time(version.createdAt), "active": .boolean(version.isActive),
      "after_task": version.afterTaskID.map { .integer($0) } ?? .null, "head": .optional(manifest?.head),
      "sources": .optional(manifest?.mixture.name), "lambda": .optional(manifest?.lambda),
      "classes": manifest.map { .integer($0.classes.count) } ?? .null,
      "examples": manifest.map { .integer($0.trainingExamples) } ?? .null,
      "held_out": manifest.map { .integer($0.heldOutExamples) } ?? .null,
    ])
  }

  private func accuracy() throws -> JSON {
    let snapshot = try store.accuracySnapshot()
    let history = AccuracyHistory(
      tasks: snapshot.tasks, evaluations: snapshot.evaluations, active: snapshot.active?.id)
    let matrix = history.matrix
    let names = Dictionary(uniqueKeysWithValues: snapshot.classes.map { ($0.id, $0.name) })
    let figures: [(String, Measured)] = [
      ("average", matrix.average), ("average_incremental", matrix.averageIncremental),
      ("forgetting", matrix.forgetting), ("backward_transfer", matrix.backwardTransfer),
    ]
    var members: [String: JSON] = [
      "version": snapshot.active.map { .integer($0.id) } ?? .null,
      "tasks": .array(history.tasks.map { .object(["id": .integer($0.id), "name": .string($0.name)]) }),
      "matrix": .array(history.cells.map { .array($0.map { .optional($0?.value) }) }),
      "counts": .array(history.cells.map { .array($0.map { $0.map { .integer($0.total) } ?? .null }) }),
      "leave_one_out": .array(history.leaveOneOut.map { .proportion($0.correct, of: $0.total) }),
      "classes": .array(
        snapshot.classEvaluations.compactMap { evaluation in
          names[evaluation.classID].map { name in
            .object([
              "id": .integer(evaluation.classID), "name": .string(name),
              "held_out": .proportion(evaluation.counts.correct, of: evaluation.counts.total),
              "leave_one_out": .proportion(
                evaluation.counts.leaveOneOutCorrect ?? 0, of: evaluation.counts.leaveOneOutTotal ?? 0),
            ])
          }
        }),
    ]
    var intervals: [String: JSON] = [
      "matrix": .array(history.cells.map { .array($0.map { .interval($0?.interval) }) })
    ]
    var counts: [String: JSON] = [:]
    var notes: [String: JSON] = [:]
    for (name, figure) in figures {
      members[name] = .optional(figure.value)
      intervals[name] = figure.interval.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null
      counts[name] = .integer(figure.n)
      if let note = figure.note { notes[name] = .string(note) }
    }
    members["intervals"] = .object(intervals)
    members["n"] = .object(counts)
    members["notes"] = .object(notes)
    return .object(members)
  }
}

extension JSON {
  /// A share with its n and its 95 % interval; null without anything to count.
  package static func proportion(_ correct: Int, of total: Int) -> JSON {
    guard total > 0 else { return .object(["accuracy": .null, "n": 0, "interval": .null]) }
    let share = Proportion(correct: correct, total: total)
    return .object([
      "accuracy": .optional(share.value), "n": .integer(total), "interval": .interval(share.interval),
    ])
  }

  /// Lower and upper end, or null.
  package static func interval(_ interval: WilsonInterval?) -> JSON {
    interval.map { .array([.number($0.lower), .number($0.upper)]) } ?? .null
  }
}
