import CLModels
import Glibc
import Storage

/// A file mapped read-only: its bytes take no memory until they are read, and can be dropped again.
package final class MappedFile: WeightBytes {
  /// Why a file cannot be mapped.
  package struct Failure: Error, CustomStringConvertible {
    package let path: String
    package let reason: String
    package var description: String { "cannot read \(path): \(reason)" }
  }

  // Safe to share: the mapping is read-only and lives as long as this object.
  private nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  package init(path: String) throws(Failure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure(path: path, reason: String(cString: strerror(errno))) }
    let size = Int(status.st_size)
    guard size > 0 else { throw Failure(path: path, reason: "it is empty") }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw Failure(path: path, reason: String(cString: strerror(errno)))
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }

  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(bytes)
  }
}

extension MappedFile {
  /// Reads the whole file.
  package var sha256: String {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize().hexadecimal
  }
}
