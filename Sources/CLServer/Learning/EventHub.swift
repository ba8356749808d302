package import HTTP
import JSONTree
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

  private static let page = 500

  private let store: Store
  private let state = Mutex(State())

  package init(store: Store) { self.store = store }

  package var subscriberCount: Int { state.withLock { $0.subscribers.count } }

  /// Sends what happened after the event `lastID`, then follows.
  package func subscribe(_ stream: ResponseStream, to taskID: Int64, after lastID: Int64) {
    state.withLock { state in
      state.nextKey += 1
      state.subscribers[state.nextKey] = Subscriber(taskID: taskID, stream: stream, lastID: lastID)
    }
    notify(taskID)
  }

  /// Sends the stored events that listeners of the task have not had, and ends their streams if the task rests.
  package func notify(_ taskID: Int64) {
    while let oldest = oldestEvent(taskID) {
      do throws(StorageError) {
        // The task is read first: what is stored after it comes with a notification of its own.
        let rests = try store.task(taskID)?.state.isAtRest ?? true
        let events = try store.events(of: taskID, after: oldest, limit: Self.page)
        send(events, to: taskID, ends: rests && events.count < Self.page)
        if events.count < Self.page { return }
      } catch {
        // The listeners keep their place; the next notification sends what this one could not read.
        return
      }
    }
  }

  /// The first event that some listener of the task lacks comes after this one; nil without listeners.
  private func oldestEvent(_ taskID: Int64) -> Int64? {
    state.withLock { state in
      // A stream that its client closed is dropped here and by the heartbeat: a callback could come while we hold the lock.
      state.subscribers = state.subscribers.filter { !$0.value.stream.isClosed }
      return state.subscribers.values.filter { $0.taskID == taskID }.map(\.lastID).min()
    }
  }

  private func send(_ events: [EventRecord], to taskID: Int64, ends: Bool) {
    let finished = state.withLock { state -> [ResponseStream] in
      var finished: [ResponseStream] = []
      for (key, subscriber) in state.subscribers where subscriber.taskID == taskID {
        var subscriber = subscriber
        for event in events where event.id > subscriber.lastID {
          subscriber.stream.write("id: \(event.id)\nevent: \(event.kind)\ndata: \(event.data)\n\n")
          subscriber.lastID = event.id
        }
        state.subscribers[key] = ends ? nil : subscriber
        if ends { finished.append(subscriber.stream) }
      }
      return finished
    }
    for stream in finished { stream.finish() }
  }

  /// Sends progress to the task's listeners.
  package func progress(_ taskID: Int64, _ progress: TaskProgress) {
    let streams = state.withLock { $0.subscribers.values.filter { $0.taskID == taskID }.map(\.stream) }
    if streams.isEmpty { return }
    let text = "event: progress\ndata: \(JSON.progress(progress).encodedText())\n\n"
    for stream in streams { stream.write(text) }
  }

  /// Sends a comment to every listener, so that proxies keep the connection.
  package func heartbeat() {
    let streams = state.withLock { state in
      state.subscribers = state.subscribers.filter { !$0.value.stream.isClosed }
      return state.subscribers.values.map(\.stream)
    }
    for stream in streams { stream.write(": alive\n\n") }
  }
}
