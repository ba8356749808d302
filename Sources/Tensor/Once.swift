import Synchronization

/// A value that is computed when it is first asked for, and then kept. Any thread; others wait for the first.
package final class Once<Value: Sendable>: Sendable {
  private let kept = Mutex<Value?>(nil)

  package init() {}

  package func value(_ compute: () -> Value) -> Value {
    kept.withLock { kept in
      if let kept { return kept }
      let value = compute()
      kept = value
      return value
    }
  }
}
