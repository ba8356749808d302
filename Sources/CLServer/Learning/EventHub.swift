package import HTTP
package import Storage
import Synchronization

/// Server-sent events of tasks: what is stored, from any id on, then what comes, until the task rests.
///
/// Stored events carry their id, so that a client that reconnects misses none; progress is sent to whoever listens and
/// is not stored. Any thread but a reactor: it reads the database.
package final class EventHub: Sendable {
  private struct Subscriber {
    let taskID: Int64
    let stream: ResponseStream
    var lastID: Int64
  }

  private struct State {
    var subscribers: [UInt64: Subscriber] = [:]
    var nextKey: UInt64 = 0
  }

  private let store: Store
  private let state = Mutex(State())

  package init(store: Store) { self.store = store }

  package var subscriberCount: Int { state.withLock { $0.subscribers.count } }

  /// Sends what happened after the event `lastID`, then follows.
  package func subscribe(_ stream: ResponseStream, to taskID: Int64, after lastID: Int64) {
    let key = state.withLock { state in
      state.nextKey += 1
      state.subscribers[state.nextKey] = Subscriber(taskID: taskID, stream: stream, lastID: lastID)
      return state.nextKey
    }
    stream.onClose { [weak self] in
      self?.state.withLock { _ = $0.subscribers.removeValue(forKey: key) }
    }
    notify(taskID)
  }

  /// Sends the stored events that listeners of the task have not had, and ends their streams if the task rests.
  package func notify(_ taskID: Int64) {
    let waiting = state.withLock { $0.subscribers.filter { $0.value.taskID == taskID } }
    if waiting.isEmpty { return }
    let oldest = waiting.values.map(\.lastID).min() ?? 0
    let task = try? store.task(taskID)
    let events = (try? store.events(of: taskID, after: oldest)) ?? []
    let finished = state.withLock { state -> [ResponseStream] in
      var finished: [ResponseStream] = []
      for key in waiting.keys {
        guard var subscriber = state.subscribers[key] else { continue }
        for event in events where event.id > subscriber.lastID {
          subscriber.stream.write("id: \(event.id)\nevent: \(event.kind)\ndata: \(event.data)\n\n")
          subscriber.lastID = event.id
        }
        state.subscribers[key] = subscriber
        if task.map(\.hasRest) ?? true { finished.append(subscriber.stream) }
      }
      return finished
    }
    for stream in finished { stream.finish() }
  }

  /// Sends progress to the task's listeners.
  package func progress(_ taskID: Int64, _ progress: TaskProgress) {
    let streams = state.withLock { $0.subscribers.values.filter { $0.taskID == taskID }.map(\.stream) }
    if streams.isEmpty { return }
    let text = "event: progress\ndata: \(String(decoding: JSON.progress(progress).text, as: UTF8.self))\n\n"
    for stream in streams { stream.write(text) }
  }

  /// Sends a comment to every listener, so that proxies keep the connection.
  package func heartbeat() {
    for stream in state.withLock({ $0.subscribers.values.map(\.stream) }) { stream.write(": alive\n\n") }
  }
}

extension Optional where Wrapped == TaskRecord {
  /// A task that is gone rests too.
  fileprivate var hasRest: Bool { self?.hasRest ?? true }
}

extension TaskRecord {
  /// Whether nothing more will happen to the task by itself.
  package var hasRest: Bool { [.ready, .failed, .cancelled].contains(state) }
}
