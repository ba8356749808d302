/// Which tasks are trained again when sources of one kind, prompts or experts, go with what was removed.
package enum Retraining {
  /// Those that lost a source, in their order; the newest task where all of those are gone themselves, so that what is
  /// left is read again.
  ///
  /// - Parameters:
  ///   - serving: the tasks of the kind's learner that serve.
  ///   - before: the task of every source there was; a task may have several.
  ///   - after: of those that are left.
  package static func tasks(of serving: [Int64], before: [Int64], after: [Int64]) -> [Int64] {
    func counts(_ tasks: [Int64]) -> [Int64: Int] { Dictionary(grouping: tasks, by: { $0 }).mapValues(\.count) }
    let left = counts(after)
    let losing = counts(before).filter { $1 > left[$0, default: 0] }
    if losing.isEmpty { return [] }
    let trained = serving.filter { losing[$0] != nil }
    return trained.isEmpty ? serving.max().map { [$0] } ?? [] : trained.sorted()
  }
}
