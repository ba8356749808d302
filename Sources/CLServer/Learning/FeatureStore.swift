import Synchronization
package import Tensor

/// The features of all examples in memory, of one width: a copy of the table of the same name.
package final class FeatureStore: Sendable {
  private struct State {
    var rows: [Int64: Int] = [:]
    var free: [Int] = []
    var values: [Float] = []
    /// Of the first vector; 0 before it.
    var width = 0
  }

  private let state = Mutex(State())

  package init() {}

  package var count: Int { state.withLock { $0.rows.count } }

  /// Adds or replaces vectors; those of another width than the first are ignored.
  package func insert(_ rows: [(exampleID: Int64, vector: [Float])]) {
    state.withLock { state in
      if state.width == 0 { state.width = rows.first?.vector.count ?? 0 }
      let width = state.width
      for (id, vector) in rows where vector.count == width && width > 0 {
        if let row = state.rows[id] ?? state.free.popLast() {
          state.rows[id] = row
          state.values.replaceSubrange(row * width..<(row + 1) * width, with: vector)
        } else {
          state.rows[id] = state.values.count / width
          state.values.append(contentsOf: vector)
        }
      }
    }
  }

  package func remove(_ ids: [Int64]) {
    state.withLock { state in
      for id in ids {
        if let row = state.rows.removeValue(forKey: id) { state.free.append(row) }
      }
    }
  }

  /// Those of `ids` that have no features yet, in the same order.
  package func missing(_ ids: [Int64]) -> [Int64] {
    state.withLock { state in ids.filter { state.rows[$0] == nil } }
  }

  /// The rows of `ids`, in that order, `[ids.count, width]`; nil when one is missing.
  package func matrix(_ ids: [Int64]) -> Matrix<Float>? {
    state.withLock { state in
      let width = state.width
      var values: [Float] = []
      values.reserveCapacity(ids.count * width)
      for id in ids {
        guard let row = state.rows[id] else { return nil }
        values.append(contentsOf: state.values[row * width..<(row + 1) * width])
      }
      return Matrix(rows: ids.count, columns: width, storage: values)
    }
  }
}
