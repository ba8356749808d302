/// Which prompt rows go through the backbone together, and what each reads: the attention mask of POP.
///
/// Every row reads the frozen tokens (class token and patches). A task's rows read their own group besides; rows of the
/// global group also read every task's. Nothing but prompt rows reads prompt rows. Groups with `readsTasks` come last.
package struct PromptLayout: Sendable, Equatable {
  package struct Group: Sendable, Equatable {
    package var rows: Int
    /// Whether it reads all groups before it and the earlier tasks' frozen rows: POP's Q.
    package var readsTasks: Bool

    package init(rows: Int, readsTasks: Bool) {
      precondition(rows > 0, "a group has a row")
      self.rows = rows
      self.readsTasks = readsTasks
    }
  }

  package let groups: [Group]
  /// With a learned offset added to the rows before every block; without, they are only given to the first.
  package let isDeep: Bool

  package init(groups: [Group], isDeep: Bool) {
    self.groups = groups
    self.isDeep = isDeep
  }

  package var rows: Int { groups.reduce(0) { $0 + $1.rows } }

  /// The rows of each group.
  package var ranges: [Range<Int>] {
    var start = 0
    return groups.map { group in
      defer { start += group.rows }
      return start..<start + group.rows
    }
  }

  /// How many numbers a group of `rows` rows is: where its rows start, `[rows, width]`, then the offsets `[blocks][rows, width]`.
  package static func parameterCount(rows: Int, width: Int, blocks: Int, isDeep: Bool) -> Int {
    rows * width * (isDeep ? 1 + blocks : 1)
  }
}
