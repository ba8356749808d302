/// Bytes that a version is made of, such as an encoded head.
package struct Artifact: Sendable, Equatable {
  /// Its role in the version.
  package let kind: String
  package let bytes: [UInt8]
  /// SHA-256 of `bytes`; checked when read.
  package let sha256: [UInt8]

  package init(kind: String, bytes: [UInt8], sha256: [UInt8]) {
    self.kind = kind
    self.bytes = bytes
    self.sha256 = sha256
  }
}

/// Bytes that are to be stored; they are asked for where the store does not have them yet.
package struct NewArtifact: Sendable {
  /// Its role in the version or the checkpoint.
  package let kind: String
  /// SHA-256 of the bytes.
  package let sha256: [UInt8]
  package let bytes: @Sendable () -> [UInt8]

  package init(kind: String, sha256: [UInt8], bytes: @escaping @Sendable () -> [UInt8]) {
    self.kind = kind
    self.sha256 = sha256
    self.bytes = bytes
  }

  /// Computes the hash.
  package init(kind: String, bytes: [UInt8]) {
    self.init(kind: kind, sha256: SHA256.hash(bytes), bytes: { bytes })
  }
}

/// Right answers out of all, on the held-out examples and by leaving one out.
package struct Counts: Sendable, Equatable {
  package let correct: Int
  /// 0 where nothing is held out.
  package let total: Int
  package let leaveOneOutCorrect: Int?
  package let leaveOneOutTotal: Int?

  package init(correct: Int, total: Int, leaveOneOutCorrect: Int? = nil, leaveOneOutTotal: Int? = nil) {
    self.correct = correct
    self.total = total
    self.leaveOneOutCorrect = leaveOneOutCorrect
    self.leaveOneOutTotal = leaveOneOutTotal
  }
}

/// A trained version to be published.
package struct NewVersion: Sendable {
  /// The task whose end it marks: its row of the accuracy matrix. nil for a version trained after a removal.
  package let afterTaskID: Int64?
  /// JSON object: classes, learner, backbone.
  package let manifest: String
  package let artifacts: [NewArtifact]
  /// Accuracy by task.
  package let evaluations: [(taskID: Int64, counts: Counts, note: String?)]
  /// Accuracy by class.
  package let classEvaluations: [(classID: Int64, counts: Counts)]
  /// `removalCount()` when the training data was read; publishing fails when it has changed since. nil: no check.
  package let removalCount: Int64?
  /// The tasks that answer with it: every other task does not serve. nil: only task updates change that.
  package let servingTasks: Set<Int64>?

  package init(
    afterTaskID: Int64?, manifest: String, artifacts: [NewArtifact],
    evaluations: [(taskID: Int64, counts: Counts, note: String?)] = [],
    classEvaluations: [(classID: Int64, counts: Counts)] = [], removalCount: Int64? = nil,
    servingTasks: Set<Int64>? = nil
  ) {
    self.afterTaskID = afterTaskID
    self.manifest = manifest
    self.artifacts = artifacts
    self.evaluations = evaluations
    self.classEvaluations = classEvaluations
    self.removalCount = removalCount
    self.servingTasks = servingTasks
  }
}

/// A published version without its artifacts' bytes.
package struct VersionRecord: Sendable, Equatable {
  package let id: Int64
  package let createdAt: Int64
  package let afterTaskID: Int64?
  package let manifest: String
  package let isActive: Bool
  /// False once its artifacts were garbage collected (or if it never had any).
  package let hasArtifacts: Bool
}

/// A version with everything needed to serve it.
package struct LoadedVersion: Sendable, Equatable {
  package let record: VersionRecord
  /// In the order they were published in, hashes verified.
  package let artifacts: [Artifact]
}

/// One cell of the accuracy matrix: accuracy on `taskID` after `afterTaskID`.
package struct EvaluationRecord: Sendable, Equatable {
  package let versionID: Int64
  package let afterTaskID: Int64?
  package let taskID: Int64
  package let counts: Counts
  /// Why something is undefined.
  package let note: String?

  package init(
    versionID: Int64, afterTaskID: Int64?, taskID: Int64, counts: Counts, note: String?
  ) {
    self.versionID = versionID
    self.afterTaskID = afterTaskID
    self.taskID = taskID
    self.counts = counts
    self.note = note
  }
}

/// Accuracy of one class under one version.
package struct ClassEvaluationRecord: Sendable, Equatable {
  package let versionID: Int64
  package let classID: Int64
  package let counts: Counts
}
