import Synchronization

/// Where the daemon is between its start and its end, for `/readyz` and for whoever waits.
package final class Lifecycle: Sendable {
  private enum Phase: Sendable { case starting, running, draining }

  private let phase = Mutex(Phase.starting)

  package init() {}

  package func run() { phase.withLock { $0 = .running } }

  package func drain() { phase.withLock { $0 = .draining } }

  /// Why requests are not taken; nil while they are.
  package var unavailable: String? {
    switch phase.withLock({ $0 }) {
    case .starting: "The server is starting."
    case .running: nil
    case .draining: "The server is ending."
    }
  }
}
