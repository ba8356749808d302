package import Tensor

/// Accuracy estimated from leave-one-out scores, which needs no held-out items.
package struct LeaveOneOutAccuracy: Sendable, Equatable {
  /// One a class.
  package let classes: [Proportion]
  /// Over all examples.
  package let overall: Proportion

  /// An example is right when its own class scores strictly higher than every other. Labels are in
  /// `0..<scores.columns`, one a row.
  package init(scores: Matrix<Float>, labels: [Int]) {
    precondition(scores.rows == labels.count, "one label a row")
    var correct = [Int](repeating: 0, count: scores.columns)
    var total = [Int](repeating: 0, count: scores.columns)
    for (row, label) in labels.enumerated() {
      let values = scores.row(row)
      let own = values[values.startIndex + label]
      total[label] += 1
      if values.indices.allSatisfy({ $0 - values.startIndex == label || values[$0] < own }) { correct[label] += 1 }
    }
    classes = zip(correct, total).map { Proportion(correct: $0, total: $1) }
    overall = Proportion(correct: correct.reduce(0, +), total: total.reduce(0, +))
  }

  /// One a task, over the examples of its classes. `taskOfClass[c]` is in `0..<taskCount`.
  package func tasks(taskOfClass: [Int], taskCount: Int) -> [Proportion] {
    var correct = [Int](repeating: 0, count: taskCount)
    var total = correct
    for (label, task) in taskOfClass.enumerated() where label < classes.count {
      correct[task] += classes[label].correct
      total[task] += classes[label].total
    }
    return zip(correct, total).map { Proportion(correct: $0, total: $1) }
  }
}
