import CArchive
import Glibc

/// Packs a folder as a tar stream (ustar, with pax headers where names or sizes need them).
package enum TarPacker {
  /// Writes all items to `descriptor`; the same folder gives the same bytes.
  ///
  /// - Parameter progress: items packed so far.
  package static func pack(
    _ folder: ImageFolder, to descriptor: Int32, progress: (Int) -> Void = { _ in }
  ) throws(ClientError) {
    // libarchive encodes names by the locale; ours are UTF-8.
    setlocale(LC_CTYPE, "C.UTF-8")
    guard let archive = archive_write_new() else { throw .file(path: folder.directory, reason: "out of memory") }
    defer { archive_write_free(archive) }
    archive_write_set_format_pax_restricted(archive)
    guard archive_write_open_fd(archive, descriptor) == ARCHIVE_OK else { throw failure(archive, folder.directory) }
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    for (index, item) in folder.items.enumerated() {
      try add(item, of: folder, to: archive, &buffer)
      progress(index + 1)
    }
    guard archive_write_close(archive) == ARCHIVE_OK else { throw failure(archive, folder.directory) }
  }

  private static func add(
    _ item: ImageFolder.Item, of folder: ImageFolder, to archive: OpaquePointer, _ buffer: inout [UInt8]
  ) throws(ClientError) {
    let path = "\(folder.directory)/\(item.path)"
    let source = open(path, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw .file(path: path, reason: String(cString: strerror(errno))) }
    defer { close(source) }
    guard let entry = archive_entry_new() else { throw .file(path: path, reason: "out of memory") }
    defer { archive_entry_free(entry) }
    archive_entry_set_pathname(entry, item.path)
    archive_entry_set_size(entry, Int64(item.size))
    archive_entry_set_filetype(entry, UInt32(S_IFREG))
    archive_entry_set_perm(entry, 0o644)
    archive_entry_set_mtime(entry, 0, 0)
    guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw failure(archive, path) }
    var left = item.size
    while left > 0 {
      let wanted = min(left, buffer.count)
      let got = buffer.withUnsafeMutableBytes { read(source, $0.baseAddress, wanted) }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { throw .file(path: path, reason: "it became shorter while it was read") }
      let written = buffer.withUnsafeBytes { archive_write_data(archive, $0.baseAddress, got) }
      guard written == got else { throw failure(archive, path) }
      left -= got
    }
  }

  private static func failure(_ archive: OpaquePointer, _ path: String) -> ClientError {
    .file(path: path, reason: archive_error_string(archive).map { String(cString: $0) } ?? "it cannot be packed")
  }
}
