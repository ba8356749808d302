import Glibc
import Synchronization

/// Which request of which connection an answer belongs to.
struct ExchangeKey: Sendable, Equatable {
  /// Slot and generation of the connection in its reactor.
  let connection: UInt64
  let request: UInt64
}

/// What other threads ask of a reactor.
enum ReactorMessage: Sendable {
  case answer(ExchangeKey, ResponderEvent)
  /// Stop accepting, finish what is in flight, then end the thread, by the deadline at the latest.
  case drain(deadline: Moment)
}

/// The queue through which any thread reaches a reactor. The first message of a batch wakes the reactor by its event
/// descriptor; the reactor's own thread never needs waking, because it empties the queue before it waits.
final class Mailbox: Sendable {
  let descriptor: Int32
  private let messages = Mutex<[ReactorMessage]>([])
  private let owner = Atomic<UInt>(0)

  init() throws(SystemCallError) {
    descriptor = try SystemCall.eventDescriptor()
  }

  deinit {
    SystemCall.close(descriptor)
  }

  /// Makes the calling thread the one that takes the messages.
  func own() {
    owner.store(UInt(pthread_self()), ordering: .releasing)
  }

  func post(_ message: ReactorMessage) {
    let wasEmpty = messages.withLock { queue in
      queue.append(message)
      return queue.count == 1
    }
    if wasEmpty, owner.load(ordering: .acquiring) != UInt(pthread_self()) { SystemCall.signal(descriptor) }
  }

  /// Moves every waiting message to `batch`, which must be empty; its storage becomes the next queue.
  func take(into batch: inout [ReactorMessage]) {
    messages.withLock { queue in
      if !queue.isEmpty { swap(&queue, &batch) }
    }
  }
}
