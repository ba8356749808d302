/// Where a task stands.
package enum TaskState: String, Sendable, CaseIterable {
  case accepted, embedding, training, ready, failed, cancelled

  /// Whether nothing more will happen by itself.
  package var isAtRest: Bool {
    switch self {
    case .accepted, .embedding, .training: false
    case .ready, .failed, .cancelled: true
    }
  }
}

/// An item of a request that was not usable; the rest of its task went on.
package struct RejectedItem: Sendable, Equatable {
  /// Position in the request, from 0.
  package let index: Int
  package let name: String?
  package let reason: String

  package init(index: Int, name: String?, reason: String) {
    self.index = index
    self.name = name
    self.reason = reason
  }
}

/// A checked example, ready to be stored.
package struct NewExample: Sendable {
  /// Name of its class.
  package let label: String
  package let name: String?
  /// Examples of one group (speaker, source, burst) stay on one side of the held-out split.
  package let group: String?
  package let bytes: [UInt8]
  /// SHA-256 of `bytes`: 32 bytes.
  package let sha256: [UInt8]
  package let isHeldOut: Bool
  /// Perceptual hash, for near-duplicates.
  package let fingerprint: [UInt8]?

  package init(
    label: String, name: String?, group: String? = nil, bytes: [UInt8], sha256: [UInt8], isHeldOut: Bool,
    fingerprint: [UInt8]? = nil
  ) {
    self.label = label
    self.name = name
    self.group = group
    self.bytes = bytes
    self.sha256 = sha256
    self.isHeldOut = isHeldOut
    self.fingerprint = fingerprint
  }
}

/// A task to be accepted.
package struct NewTask: Sendable {
  package let name: String
  /// `closed-form`, `pop`, `dne` ...
  package let learner: String
  /// Fraction of each class to hold out; nil where the request named the held-out items.
  package let holdout: Double?
  /// JSON object with whatever else the learner was told.
  package let settings: String?
  /// Labels that exist already add to their class instead of being a conflict.
  package let extendExisting: Bool
  package let rejected: [RejectedItem]
  package let examples: [NewExample]
  /// Kind of the job that teaches it.
  package let jobKind: String
  /// The task's first event.
  package let event: NewEvent

  package init(
    name: String, learner: String, holdout: Double?, settings: String? = nil, extendExisting: Bool = false,
    rejected: [RejectedItem] = [], examples: [NewExample], jobKind: String = JobKind.teach,
    event: NewEvent = NewEvent(kind: "accepted", data: "{}")
  ) {
    self.name = name
    self.learner = learner
    self.holdout = holdout
    self.settings = settings
    self.extendExisting = extendExisting
    self.rejected = rejected
    self.examples = examples
    self.jobKind = jobKind
    self.event = event
  }
}

/// A stored task.
package struct TaskRecord: Sendable, Equatable {
  package let id: Int64
  package let name: String
  package let learner: String
  package let state: TaskState
  /// Whether the active version answers with its classes.
  package let isServing: Bool
  package let holdout: Double?
  /// JSON object, or nil.
  package let settings: String?
  package let extendExisting: Bool
  /// Why it failed, or why the last examples of a task that serves were not learned.
  package let error: String?
  package let rejected: [RejectedItem]
  /// Milliseconds since 1970.
  package let createdAt: Int64
  /// When it last became ready, in milliseconds since 1970.
  package let readyAt: Int64?
  /// JSON object: what training in the background came to; nil before.
  package let refinement: String?

  package init(
    id: Int64, name: String, learner: String, state: TaskState, isServing: Bool, holdout: Double?, settings: String?,
    extendExisting: Bool, error: String?, rejected: [RejectedItem], createdAt: Int64, readyAt: Int64?,
    refinement: String? = nil
  ) {
    self.refinement = refinement
    self.id = id
    self.name = name
    self.learner = learner
    self.state = state
    self.isServing = isServing
    self.holdout = holdout
    self.settings = settings
    self.extendExisting = extendExisting
    self.error = error
    self.rejected = rejected
    self.createdAt = createdAt
    self.readyAt = readyAt
  }
}

/// What `acceptTask` stored.
package struct AcceptedTask: Sendable {
  package let task: TaskRecord
  package let jobID: Int64
  /// Id of every class that the examples name, by label.
  package let classIDs: [String: Int64]
  /// In the order of the request.
  package let exampleIDs: [Int64]
}

/// What `addExamples` stored.
package struct AddedExamples: Sendable {
  package let task: TaskRecord
  package let jobID: Int64
  package let classIDs: [String: Int64]
  package let exampleIDs: [Int64]
}

/// A class and how many examples it has.
package struct ClassRecord: Sendable, Equatable {
  package let id: Int64
  /// The task that brought it.
  package let taskID: Int64
  package let name: String
  package let createdAt: Int64
  /// All examples, held-out ones included.
  package let exampleCount: Int
  package let heldOutCount: Int

  package init(
    id: Int64, taskID: Int64, name: String, createdAt: Int64, exampleCount: Int, heldOutCount: Int
  ) {
    self.id = id
    self.taskID = taskID
    self.name = name
    self.createdAt = createdAt
    self.exampleCount = exampleCount
    self.heldOutCount = heldOutCount
  }
}

/// An example without its bytes.
package struct ExampleRecord: Sendable, Equatable {
  package let id: Int64
  /// The task it was sent with: not always the one that brought its class.
  package let taskID: Int64
  package let classID: Int64
  package let name: String?
  package let group: String?
  package let isHeldOut: Bool
  package let sha256: [UInt8]
  package let fingerprint: [UInt8]?
  package let createdAt: Int64

  package init(
    id: Int64, taskID: Int64, classID: Int64, name: String?, group: String?, isHeldOut: Bool, sha256: [UInt8],
    fingerprint: [UInt8]?, createdAt: Int64
  ) {
    self.id = id
    self.taskID = taskID
    self.classID = classID
    self.name = name
    self.group = group
    self.isHeldOut = isHeldOut
    self.sha256 = sha256
    self.fingerprint = fingerprint
    self.createdAt = createdAt
  }
}

/// What a removal took away, so that the caller can train without it.
package struct Removed: Sendable, Equatable {
  package let taskIDs: [Int64]
  package let classIDs: [Int64]
  package let exampleIDs: [Int64]
  /// The job that trains again, where one was asked for.
  package let jobID: Int64?
}

/// A change of a task's state, as part of a larger write.
package struct TaskUpdate: Sendable {
  package let taskID: Int64
  package let state: TaskState
  /// nil leaves it as it is.
  package let isServing: Bool?
  package let error: String?
  package let event: NewEvent?
  /// nil leaves it as it is.
  package let refinement: String?

  package init(
    taskID: Int64, state: TaskState, isServing: Bool?, error: String? = nil, event: NewEvent? = nil,
    refinement: String? = nil
  ) {
    self.refinement = refinement
    self.taskID = taskID
    self.state = state
    self.isServing = isServing
    self.error = error
    self.event = event
  }
}
