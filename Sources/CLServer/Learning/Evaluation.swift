package import CLModels
package import Storage
package import Tensor

/// Counts right answers by task and by class, on the held-out examples and on those left out one at a time.
package struct Evaluation: Sendable {
  private struct Tally {
    var correct = 0
    var total = 0
    var leaveOneOutCorrect = 0
    var leaveOneOutTotal = 0

    var counts: Counts {
      Counts(
        correct: correct, total: total, leaveOneOutCorrect: leaveOneOutTotal > 0 ? leaveOneOutCorrect : nil,
        leaveOneOutTotal: leaveOneOutTotal > 0 ? leaveOneOutTotal : nil)
    }
  }

  package let tasks: [(taskID: Int64, counts: Counts, note: String?)]
  package let classes: [(classID: Int64, counts: Counts)]

  /// - Parameters:
  ///   - heldOutFeatures: one row for each held-out example of `set`.
  package init(_ set: TrainingSet, fitted: FittedHead, heldOutFeatures: Matrix<Float>) {
    var byTask: [Int64: Tally] = [:]
    var byClass: [Int64: Tally] = [:]
    for example in set.training + set.heldOut { byTask[example.taskID] = byTask[example.taskID] ?? Tally() }
    for known in set.classes { byClass[known.id] = Tally() }

    if !set.heldOut.isEmpty {
      let scores = fitted.head.scores(heldOutFeatures)
      for (row, example) in set.heldOut.enumerated() {
        let isRight = set.classes[Self.best(scores.row(row))].id == example.classID
        byTask[example.taskID, default: Tally()].total += 1
        byClass[example.classID, default: Tally()].total += 1
        if isRight {
          byTask[example.taskID, default: Tally()].correct += 1
          byClass[example.classID, default: Tally()].correct += 1
        }
      }
    }
    if let scores = fitted.leaveOneOutScores {
      // An example that is alone in its class cannot be right without it: it tells nothing.
      for (row, (example, counts)) in zip(set.training, set.canBeLeftOut).enumerated() where counts {
        let isRight = set.classes[Self.best(scores.row(row))].id == example.classID
        byTask[example.taskID, default: Tally()].leaveOneOutTotal += 1
        byClass[example.classID, default: Tally()].leaveOneOutTotal += 1
        if isRight {
          byTask[example.taskID, default: Tally()].leaveOneOutCorrect += 1
          byClass[example.classID, default: Tally()].leaveOneOutCorrect += 1
        }
      }
    }
    tasks = byTask.sorted { $0.key < $1.key }.map { id, tally in
      (id, tally.counts, tally.total == 0 ? "no held-out examples" : nil)
    }
    classes = byClass.sorted { $0.key < $1.key }.map { ($0.key, $0.value.counts) }
  }

  /// Index of the largest score, the first of equals.
  private static func best(_ scores: ArraySlice<Float>) -> Int {
    var best = scores.startIndex
    for index in scores.indices where scores[index] > scores[best] { best = index }
    return best - scores.startIndex
  }
}
