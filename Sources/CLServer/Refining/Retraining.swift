package import CLModels

/// Which tasks are trained again when sources go with what was removed.
package enum Retraining {
  /// Tasks that have fewer sources of their own, of some kind, in one bank than in the one before it.
  package static func losing(from before: SourceBank, to after: SourceBank) -> Set<Int64> {
    func kind(_ tasks: (SourceBank) -> [Int64]) -> Set<Int64> {
      Kind(serving: [], before: tasks(before), after: tasks(after)).losing
    }
    return kind { $0.prompts.tasks.map(\.taskID) }.union(kind { $0.experts.experts.map(\.taskID) })
  }

  /// One kind of sources, prompts or experts.
  package struct Kind {
    /// The tasks of the kind's learner that serve.
    let serving: [Int64]
    /// The task of every source there was; a task may have several.
    let before: [Int64]
    /// Of those that are left.
    let after: [Int64]

    package init(serving: [Int64], before: [Int64], after: [Int64]) {
      self.serving = serving
      self.before = before
      self.after = after
    }

    /// The tasks that have fewer sources than they had.
    var losing: Set<Int64> {
      func counts(_ tasks: [Int64]) -> [Int64: Int] { Dictionary(grouping: tasks, by: { $0 }).mapValues(\.count) }
      let left = counts(after)
      return Set(counts(before).filter { $1 > left[$0, default: 0] }.keys)
    }
  }

  /// Those that lost a source, kind after kind in their order. Where all of those are gone themselves, the newest that still
  /// has one, or else the newest: since a version that lost a source reads none, what is left is read again only after
  /// a training.
  ///
  /// - Parameter isUnread: whether the version reads none of the sources it has, though nothing was lost: what harmed
  ///   may have been removed.
  package static func tasks(of kinds: [Kind], isUnread: Bool = false) -> [Int64] {
    if kinds.allSatisfy(\.losing.isEmpty) {
      let having = kinds.flatMap { kind in kind.serving.filter(kind.after.contains) }
      return isUnread ? having.max().map { [$0] } ?? [] : []
    }
    let trained = kinds.flatMap { kind in kind.serving.filter(kind.losing.contains).sorted() }
    if !trained.isEmpty { return trained }
    let having = kinds.flatMap { kind in kind.serving.filter(kind.after.contains) }
    let all = kinds.flatMap(\.serving)
    return (having.max() ?? all.max()).map { [$0] } ?? []
  }
}
