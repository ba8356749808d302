internal import Synchronization

/// One `forEach`: indices are handed out by an atomic counter, so that fast workers take more.
final class ComputeJob: Sendable {
  private let count: Int
  private let body: @Sendable (Int) -> Void
  private let next = Atomic<Int>(0)
  private let finished = Atomic<Int>(0)

  init(count: Int, body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.body = body
  }

  var isDone: Bool { finished.load(ordering: .acquiring) >= count }

  /// Runs indices until none is left to hand out; whoever finishes the last one wakes those who wait.
  func runIndices(_ state: ComputePoolState) {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index)
      if finished.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == count { state.announceFinished() }
    }
  }
}
