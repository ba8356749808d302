import Synchronization

/// How far the work on a task is. Not stored: after a restart it starts from what is stored already.
package struct TaskProgress: Sendable, Equatable {
  package var phase: String
  package var done: Int
  package var total: Int
  package var secondsLeft: Double?
  /// While prompts are trained: the last step's loss, and images a second.
  package var loss: Double?
  package var imagesPerSecond: Double?
}

/// The progress of the tasks that are worked on, for whoever asks.
package final class ProgressBoard: Sendable {
  private struct Entry {
    var progress: TaskProgress
    let start: ContinuousClock.Instant
    let doneAtStart: Int
  }

  private let entries = Mutex<[Int64: Entry]>([:])

  package init() {}

  package subscript(taskID: Int64) -> TaskProgress? { entries.withLock { $0[taskID]?.progress } }

  /// Begins a phase, `done` of `total` being there already.
  package func begin(_ taskID: Int64, phase: String, done: Int, total: Int) {
    let progress = TaskProgress(phase: phase, done: done, total: total, secondsLeft: nil)
    entries.withLock { $0[taskID] = Entry(progress: progress, start: .now, doneAtStart: done) }
  }

  /// Counts what has been done since the phase began, and estimates what is left from it.
  package func advance(_ taskID: Int64, to done: Int) {
    entries.withLock { entries in
      guard var entry = entries[taskID] else { return }
      entry.progress.done = done
      let worked = done - entry.doneAtStart
      if worked > 0 {
        let seconds = (ContinuousClock.now - entry.start) / .seconds(1)
        entry.progress.secondsLeft = seconds / Double(worked) * Double(entry.progress.total - done)
      }
      entries[taskID] = entry
    }
  }

  /// What the last step of training was like.
  package func report(_ taskID: Int64, loss: Double, imagesPerSecond: Double) {
    entries.withLock { entries in
      entries[taskID]?.progress.loss = loss
      entries[taskID]?.progress.imagesPerSecond = imagesPerSecond
    }
  }

  package func end(_ taskID: Int64) {
    entries.withLock { _ = $0.removeValue(forKey: taskID) }
  }
}
