import Glibc

/// A file without a name: gone when it is closed, even if the process is killed.
package struct TemporaryFile: ~Copyable {
  package let descriptor: Int32

  package init(directory: String) throws(ClientError) {
    var template = Array("\(directory)/clserver-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw .file(path: directory, reason: "no temporary file: " + String(cString: strerror(errno)))
    }
    unlink(template)
  }

  package var size: Int { Int(lseek(descriptor, 0, SEEK_END)) }

  deinit { close(descriptor) }
}
