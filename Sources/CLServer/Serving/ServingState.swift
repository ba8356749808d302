import Synchronization

/// The one reference that predictions read: version N or N+1, never a mixture.
package final class ServingState: Sendable {
  private let model = Mutex<ServingModel?>(nil)

  package init() {}

  /// What answers now; nil before the first class.
  package var current: ServingModel? {
    model.withLock { model in model.flatMap { $0.isEmpty ? nil : $0 } }
  }

  /// Like `current`, also when every class of it has been removed.
  package var latest: ServingModel? { model.withLock { $0 } }

  /// Changes what answers. `change` is called under the lock: it must be quick.
  package func update(_ change: (ServingModel?) -> ServingModel?) {
    model.withLock { $0 = change($0) }
  }
}
