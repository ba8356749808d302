/// What SQLite said about one failed call.
package struct SQLiteFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// Primary result code, such as `SQLITE_FULL` (13).
  package let code: Int32
  /// Extended result code, such as `SQLITE_IOERR_WRITE` (778).
  package let extendedCode: Int32
  /// `errno` of the last failed system call, 0 where there was none.
  package let systemError: Int32
  /// SQLite's message.
  package let message: String
  /// The SQL that failed, with `?` for the arguments, which are never recorded: they may hold examples or keys.
  package let sql: String?

  package var description: String {
    var text = "SQLite error \(extendedCode): \(message)"
    if systemError != 0 { text += " (errno \(systemError))" }
    if let sql { text += " in `\(sql)`" }
    return text
  }
}

/// Why a write that is valid by itself contradicts what is stored.
package enum Conflict: Sendable, Equatable {
  /// These class names exist already (in the order of the request) and the request did not say to extend them,
  /// or they belong to another task.
  case labelsExist([String])
  /// A class of this name exists: a class cannot be renamed to it.
  case classNameTaken(String)
  /// This key was used before in the same scope: answer with the stored response.
  case idempotencyKeyUsed(String)
  /// Examples, classes or tasks were removed after the version's training data was read: train again.
  case removedMeanwhile
  /// The version's artifacts were garbage collected: it cannot be activated.
  case artifactsGone(version: Int64)
  /// The task waits for nothing that could be cancelled: it is in this state.
  case taskAtRest(TaskState)
  /// The job was cancelled or went with its task while it was worked on.
  case jobEnded
}

/// What a request named and the database does not hold.
package enum StoredNoun: String, Sendable {
  case task, `class`, example, job, version, artifact, apiKey = "API key"
}

/// Everything that can go wrong in the Storage target. Closed: callers switch over it.
///
/// Whatever is thrown, the transaction it came from is rolled back and the store stays usable; `corrupt`, `closed`,
/// `tooNew`, `foreign` and `inUse` will come again until somebody acts.
package enum StorageError: Error, Sendable, Equatable {
  /// The disk (or quota) is full. Nothing was written.
  case full(SQLiteFailure)
  /// The file, its directory or the file system cannot be written to.
  case readOnly(SQLiteFailure)
  /// The file is damaged or not a database.
  case corrupt(SQLiteFailure)
  /// Another connection held a lock for longer than the busy timeout.
  case busy(SQLiteFailure)
  /// The storage device failed.
  case inputOutput(SQLiteFailure)
  /// The file cannot be opened: no such directory, no permission, out of descriptors.
  case cannotOpen(SQLiteFailure)
  /// Anything else SQLite reports: a constraint, a programming error, out of memory.
  case sqlite(SQLiteFailure)
  /// The request contradicts what is stored.
  case conflict(Conflict)
  /// There is no such row.
  case notFound(StoredNoun, String)
  /// A newer program wrote this file: this one knows the schema only up to `known`.
  case tooNew(found: Int, known: Int)
  /// The file is a SQLite database of another program.
  case foreign(path: String)
  /// Another process (or another `Store`) has this state directory open.
  case inUse(path: String, processID: Int32?)
  /// The store was closed.
  case closed
}

extension StorageError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .full(let failure): "the disk is full: \(failure)"
    case .readOnly(let failure): "the database cannot be written to: \(failure)"
    case .corrupt(let failure): "the database is damaged or not a database: \(failure)"
    case .busy(let failure): "the database is busy: \(failure)"
    case .inputOutput(let failure): "the storage device failed: \(failure)"
    case .cannotOpen(let failure): "the database cannot be opened: \(failure)"
    case .sqlite(let failure): failure.description
    case .conflict(.labelsExist(let labels)): "classes exist already: \(labels.joined(separator: ", "))"
    case .conflict(.classNameTaken(let name)): "a class named \(name) exists already"
    case .conflict(.idempotencyKeyUsed(let key)): "the idempotency key \(key) was used before"
    case .conflict(.removedMeanwhile): "examples were removed while the version was trained"
    case .conflict(.artifactsGone(let version)): "the artifacts of version \(version) were deleted"
    case .conflict(.taskAtRest(let state)): "the task is \(state.rawValue): there is nothing to cancel"
    case .conflict(.jobEnded): "the job was cancelled while it was worked on"
    case .notFound(let noun, let id): "there is no \(noun.rawValue) \(id)"
    case .tooNew(let found, let known):
      "the database has schema version \(found), this program knows versions up to \(known): use a newer program"
    case .foreign(let path): "\(path) is a database of another program"
    case .inUse(let path, let processID):
      "\(path) is in use by another process" + (processID.map { " (\($0))" } ?? "")
    case .closed: "the store is closed"
    }
  }
}
