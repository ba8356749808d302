package import CLModels
package import Storage
package import Tensor

/// Counts right answers by task and by class, on the held-out examples and on those left out one at a time.
package struct Evaluation: Sendable {
  private struct Answers {
    var correct = 0
    var total = 0

    mutating func add(_ isRight: Bool) {
      total += 1
      if isRight { correct += 1 }
    }
  }

  private struct Tally {
    var heldOut = Answers()
    var leftOut = Answers()

    var counts: Counts {
      Counts(
        correct: heldOut.correct, total: heldOut.total,
        leaveOneOutCorrect: leftOut.total > 0 ? leftOut.correct : nil,
        leaveOneOutTotal: leftOut.total > 0 ? leftOut.total : nil)
    }
  }

  package let tasks: [(taskID: Int64, counts: Counts, note: String?)]
  package let classes: [(classID: Int64, counts: Counts)]

  /// - Parameters:
  ///   - heldOutFeatures: one row for each held-out example of `set`.
  ///   - hasSeenLabels: whether the features were trained on the labels: leaving one out would flatter them, so it is left
  ///     undefined.
  package init(
    _ set: TrainingSet, fitted: FittedHead, heldOutFeatures: Matrix<Float>, hasSeenLabels: Bool = false
  ) {
    var byTask: [Int64: Tally] = [:]
    var byClass: [Int64: Tally] = [:]
    for example in set.training + set.heldOut { byTask[example.taskID] = byTask[example.taskID] ?? Tally() }
    for known in set.classes { byClass[known.id] = Tally() }

    func count(
      _ example: ExampleRecord, _ scores: Matrix<Float>, row: Int, as answers: WritableKeyPath<Tally, Answers>
    ) {
      let isRight = set.classes[scores.columnOfLargest(inRow: row)].id == example.classID
      byTask[example.taskID, default: Tally()][keyPath: answers].add(isRight)
      byClass[example.classID, default: Tally()][keyPath: answers].add(isRight)
    }
    if !set.heldOut.isEmpty {
      let scores = fitted.head.scores(heldOutFeatures)
      for (row, example) in set.heldOut.enumerated() { count(example, scores, row: row, as: \.heldOut) }
    }
    if !hasSeenLabels, let scores = fitted.leaveOneOutScores {
      // An example that is alone in its class cannot be right without it: it tells nothing.
      for (row, (example, counts)) in zip(set.training, set.canBeLeftOut).enumerated() where counts {
        count(example, scores, row: row, as: \.leftOut)
      }
    }
    tasks = byTask.sorted { $0.key < $1.key }.map { id, tally in
      let lacks = tally.heldOut.total == 0 ? "no held-out examples" : nil
      let flatters = hasSeenLabels ? "prompts saw the labels, so leaving one out says nothing" : nil
      let note = [lacks, flatters].compactMap { $0 }.joined(separator: "; ")
      return (id, tally.counts, note.isEmpty ? nil : note)
    }
    classes = byClass.sorted { $0.key < $1.key }.map { ($0.key, $0.value.counts) }
  }
}
