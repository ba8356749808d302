import Synchronization

/// The one reference that predictions read: version N or N+1, never a mixture.
///
/// Removals and new names apply to what answers now and to every version that comes later, however long ago its examples
/// were read: ids are never used again.
package final class ServingState: Sendable {
  private struct State {
    var model: ServingModel?
    var removed: Set<Int64> = []
    var names: [Int64: String] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  /// What answers now; nil while no class does.
  package var current: ServingModel? {
    state.withLock { state in state.model.flatMap { $0.isEmpty ? nil : $0 } }
  }

  /// Like `current`, also when every class of it has been removed.
  package var latest: ServingModel? { state.withLock { $0.model } }

  /// Lets a version answer; nil when nothing is left to answer.
  package func serve(_ model: ServingModel?) {
    state.withLock { state in
      guard var next = model else {
        state.model = nil
        return
      }
      next = next.removing(classes: next.classes.map(\.id).filter { state.removed.contains($0) }, examples: [])
      for known in next.classes {
        if let name = state.names[known.id] { next = next.renaming(known.id, to: name) }
      }
      state.model = next
    }
  }

  /// Takes classes out of the answers, and examples out of what the next version is made of.
  package func remove(classes: [Int64], examples: [Int64]) {
    state.withLock { state in
      state.removed.formUnion(classes)
      state.model = state.model?.removing(classes: classes, examples: examples)
    }
  }

  /// Shows a class under another name.
  package func rename(_ id: Int64, to name: String) {
    state.withLock { state in
      state.names[id] = name
      state.model = state.model?.renaming(id, to: name)
    }
  }
}
