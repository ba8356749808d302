import Synchronization

/// Request body bytes in memory over all connections, against their bound.
package final class BodyBudget: Sendable {
  package let limit: Int
  private let used = Atomic<Int>(0)

  package init(limit: Int) {
    self.limit = limit
  }

  /// Bytes reserved now.
  package var usedBytes: Int { used.load(ordering: .relaxed) }

  /// Reserves bytes; false if that would go over the limit.
  package func reserve(_ count: Int) -> Bool {
    if count == 0 { return true }
    guard count <= limit else { return false }
    if used.add(count, ordering: .relaxed).newValue <= limit { return true }
    release(count)
    return false
  }

  package func release(_ count: Int) {
    if count > 0 { used.subtract(count, ordering: .relaxed) }
  }
}
