/// Everything that is learned from, as it was at one moment.
package struct TrainingSnapshot: Sendable, Equatable {
  /// Oldest first.
  package let classes: [ClassRecord]
  /// In order of their ids.
  package let examples: [ExampleRecord]
  /// Oldest first.
  package let tasks: [TaskRecord]
  /// To be handed to `publish` in `NewVersion.removalCount`.
  package let removalCount: Int64
}

/// Everything that accuracy is reported from, as it was at one moment.
package struct AccuracySnapshot: Sendable, Equatable {
  /// The version that answers.
  package let active: VersionRecord?
  package let tasks: [TaskRecord]
  package let classes: [ClassRecord]
  /// Of the last version after each task, and of the active version; in order of versions, then tasks.
  package let evaluations: [EvaluationRecord]
  /// Of the active version, in order of classes.
  package let classEvaluations: [ClassEvaluationRecord]
}

/// How many examples a task sent to a class.
package struct ExampleCount: Sendable, Equatable {
  package let taskID: Int64
  package let classID: Int64
  /// Examples that are learned.
  package let training: Int
  package let heldOut: Int

  package init(taskID: Int64, classID: Int64, training: Int, heldOut: Int) {
    self.taskID = taskID
    self.classID = classID
    self.training = training
    self.heldOut = heldOut
  }
}

/// What `recoverJobs` did with the jobs that an end of the process interrupted.
package struct RecoveredJobs: Sendable, Equatable {
  /// Jobs that will run again.
  package let pending: Int
  /// Jobs that were begun too often.
  package let failed: Int

  package init(pending: Int, failed: Int) {
    self.pending = pending
    self.failed = failed
  }
}
