/// Where a job stands.
package enum JobState: String, Sendable, CaseIterable {
  case pending, running, done, failed, cancelled
}

/// Kinds of jobs.
package enum JobKind {
  /// Embed a task's examples and let its classes answer.
  package static let teach = "teach"
  /// Make a version of what is left after a removal, or with other settings.
  package static let rebuild = "rebuild"
  /// Train what a task adds to the backbone, while its classes answer already.
  package static let refine = "refine"
}

/// Durable work: it survives a restart and starts again.
package struct JobRecord: Sendable, Equatable {
  package let id: Int64
  package let kind: String
  /// nil for work that concerns all tasks.
  package let taskID: Int64?
  package let state: JobState
  /// How often it was started, without the starts that `releaseJob` and `releaseJobs` gave back.
  package let attempts: Int
  package let error: String?
  package let createdAt: Int64
  package let updatedAt: Int64
}

/// Something that happened to a task.
package struct NewEvent: Sendable, Equatable {
  package let kind: String
  /// JSON object.
  package let data: String

  package init(kind: String, data: String) {
    self.kind = kind
    self.data = data
  }
}

/// A stored event. Ids rise over all tasks and are never reused: an SSE `Last-Event-ID`.
package struct EventRecord: Sendable, Equatable {
  package let id: Int64
  package let taskID: Int64
  package let kind: String
  package let data: String
  package let createdAt: Int64
}
