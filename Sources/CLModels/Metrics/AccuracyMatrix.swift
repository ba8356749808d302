/// The matrix R of continual learning: `rows[i][j]` is the accuracy on task j's held-out items after task i was learned.
///
/// A cell is nil when it was not or cannot be measured: the task has no held-out items, or was deleted. Rows may be
/// shorter than i + 1; cells right of the diagonal are ignored. Undefined figures are nil with a reason, never 0.
package struct AccuracyMatrix: Sendable, Equatable {
  package typealias Cell = Proportion

  package let rows: [[Cell?]]

  package init(rows: [[Cell?]]) { self.rows = rows }

  private func cell(_ row: Int, _ task: Int) -> Cell? {
    guard task <= row, task < rows[row].count, let cell = rows[row][task], cell.total > 0 else { return nil }
    return cell
  }

  private func measuredTasks(_ row: Int) -> [Int] { (0...row).filter { cell(row, $0) != nil } }

  /// Average accuracy: the mean over tasks after the last one.
  package var average: Measured {
    guard let last = rows.indices.last else { return .undefined("no task has been learned") }
    let tasks = measuredTasks(last)
    guard !tasks.isEmpty else { return .undefined("no task has held-out items") }
    let terms = tasks.compactMap { task in
      cell(last, task).map { Measured.Term(weight: 1 / Double(tasks.count), proportion: $0, task: task) }
    }
    return Measured(terms, bounds: 0...1)
  }

  /// Average incremental accuracy: the mean over rows of each row's mean. Rows without a cell do not count.
  package var averageIncremental: Measured {
    guard !rows.isEmpty else { return .undefined("no task has been learned") }
    let measured = rows.indices.filter { !measuredTasks($0).isEmpty }
    guard !measured.isEmpty else { return .undefined("no task has held-out items") }
    let terms = measured.flatMap { row in
      let tasks = measuredTasks(row)
      return tasks.compactMap { task in
        cell(row, task).map {
          Measured.Term(weight: 1 / Double(tasks.count * measured.count), proportion: $0, task: task)
        }
      }
    }
    return Measured(terms, bounds: 0...1)
  }

  /// Forgetting (Chaudhry et al. 2018): for every task before the last, its best accuracy before the last row minus its
  /// accuracy in the last row; the mean of these. Negative when tasks improved. The best of several measurements is high
  /// by chance, which the interval does not take into account.
  package var forgetting: Measured {
    difference { last, task in
      let earlier = (task..<last).compactMap { cell($0, task) }
      let best = earlier.max { ($0.value ?? 0) < ($1.value ?? 0) }
      return best.map { (plus: $0, minus: cell(last, task)) }
    }
  }

  /// Backward transfer: for every task before the last, its accuracy in the last row minus that just after it was
  /// learned; the mean of these.
  package var backwardTransfer: Measured {
    difference { last, task in
      cell(last, task).map { (plus: $0, minus: cell(task, task)) }
    }
  }

  private func difference(_ pair: (_ last: Int, _ task: Int) -> (plus: Cell, minus: Cell?)?) -> Measured {
    guard let last = rows.indices.last else { return .undefined("no task has been learned") }
    guard last > 0 else { return .undefined("needs two tasks") }
    let pairs = (0..<last).compactMap { task -> (task: Int, plus: Cell, minus: Cell)? in
      guard let (plus, minus) = pair(last, task), let minus else { return nil }
      return (task, plus, minus)
    }
    guard !pairs.isEmpty else {
      return .undefined("no earlier task was measured both before and after the last task")
    }
    let weight = 1 / Double(pairs.count)
    let terms = pairs.flatMap {
      [
        Measured.Term(weight: weight, proportion: $0.plus, task: $0.task),
        Measured.Term(weight: -weight, proportion: $0.minus, task: $0.task),
      ]
    }
    return Measured(terms, bounds: -1...1)
  }
}
