import CLinux
import Synchronization

/// Open connections of all reactors.
final class ConnectionCount: Sendable {
  private let count = Atomic<Int>(0)

  /// Counts one more and returns the new number.
  func enter() -> Int { count.add(1, ordering: .relaxed).newValue }
  func leave() { count.subtract(1, ordering: .relaxed) }
  var current: Int { count.load(ordering: .relaxed) }
}

/// Taking connections from the listening socket.
extension Reactor {
  /// Connections over the limit that are told so; beyond these the kernel's queue has to hold them.
  private static let refusedConnections = 64
  /// The listening socket's queue, and so the most that can wait in it when the server drains.
  static let backlog = 4096

  func startAccepting() {
    acceptAgain = nil
    guard !isAccepting, drainDeadline == nil else { return }
    // Exclusive: one connection wakes one of the reactors that share the socket.
    let events = EPOLLIN.rawValue | UInt32(1 << 28)
    do throws(SystemCallError) {
      try SystemCall.epollControl(epoll, EPOLL_CTL_ADD, listener, events: events, token: Self.listenerToken)
      isAccepting = true
    } catch {
      acceptAgain = now + .milliseconds(100)
    }
  }

  /// Takes the listening socket out of the loop, so that a waiting connection does not spin it.
  func stopAccepting(until again: Moment?) {
    acceptAgain = again
    guard isAccepting else { return }
    isAccepting = false
    try? SystemCall.epollControl(epoll, EPOLL_CTL_DEL, listener, events: 0, token: 0)
  }

  /// - Parameter most: a bound, so that a storm of connections does not hold up those that are open.
  func acceptConnections(atMost most: Int = 64) {
    for _ in 0..<most {
      let limit = context.configuration.maximumConnections
      if connectionCount.current >= limit + Self.refusedConnections {
        return stopAccepting(until: now + .milliseconds(100))
      }
      switch SystemCall.accept(listener) {
      case .wouldBlock:
        isExhausted = false
        return
      case .exhausted(let error):
        if !isExhausted { observer?.acceptingFailed(error) }
        isExhausted = true
        return stopAccepting(until: now + .milliseconds(100))
      case .ended: return stopAccepting(until: nil)
      case .accepted(let descriptor, let address): add(descriptor, address, limit: limit)
      }
    }
  }

  private func add(_ descriptor: Int32, _ address: SocketAddress, limit: Int) {
    let slot = freeSlots.popLast() ?? entries.count
    if slot == entries.count { entries.append(nil) }
    generation = (generation + 1) & 0x7fff_ffff
    let token = generation << 32 | UInt64(slot)
    let interest = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    do throws(SystemCallError) {
      try SystemCall.epollControl(epoll, EPOLL_CTL_ADD, descriptor, events: interest, token: token)
    } catch {
      SystemCall.close(descriptor)
      freeSlots.append(slot)
      return
    }
    let machine = HTTPConnection(context: context, remoteAddress: address.host, now: now)
    let entry = Entry(descriptor: descriptor, token: token, machine: machine, interest: interest)
    entries[slot] = entry
    openCount += 1
    if connectionCount.enter() > limit {
      update(entry) { $0.refuseConnection(HTTPProblems.tooManyConnections(limit: limit), now: now) }
    }
  }
}
