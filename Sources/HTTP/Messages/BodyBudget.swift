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

/// Reserved bytes, released when nobody holds them any more: a request keeps its own for as long as a handler keeps the
/// request, also when its connection has gone.
final class BodyReservation: Sendable {
  private let budget: BodyBudget
  private let count: Int

  /// Takes over bytes that were reserved.
  init(_ budget: BodyBudget, _ count: Int) {
    self.budget = budget
    self.count = count
  }

  deinit { budget.release(count) }
}
