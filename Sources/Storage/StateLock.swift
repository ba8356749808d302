import Glibc

/// Keeps a second process away from a state directory: an exclusive `flock` on a file beside the database.
/// The kernel releases it when the process ends, however it ends.
final class StateLock: Sendable {
  private let descriptor: Int32

  init(path: String) throws(StorageError) {
    let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw StateLock.failure(path, errno) }
    while flock(opened, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      let holder = StateLock.processID(in: opened)
      Glibc.close(opened)
      guard code == EWOULDBLOCK else { throw StateLock.failure(path, code) }
      throw .inUse(path: path, processID: holder)
    }
    descriptor = opened
    // Who holds it, for the message of the second process. On a full disk the lock works without it.
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(opened, 0)
    _ = text.withUnsafeBytes { pwrite(opened, $0.baseAddress, $0.count, 0) }
  }

  deinit {
    // Closing alone would leave the lock with a child that was being spawned meanwhile, until it executes.
    flock(descriptor, LOCK_UN)
    Glibc.close(descriptor)
  }

  private static func processID(in descriptor: Int32) -> Int32? {
    var buffer = [UInt8](repeating: 0, count: 16)
    let count = buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    guard count > 0 else { return nil }
    return Int32(String(decoding: buffer[..<count].prefix { $0 != 0x0a }, as: UTF8.self))
  }

  private static func failure(_ path: String, _ code: Int32) -> StorageError {
    let failure = SQLiteFailure(
      code: 0, extendedCode: 0, systemError: code,
      message: "cannot lock \(path): \(String(cString: strerror(code)))", sql: nil)
    switch code {
    case ENOSPC, EDQUOT: return .full(failure)
    case EROFS, EACCES, EPERM: return .readOnly(failure)
    default: return .cannotOpen(failure)
    }
  }
}
