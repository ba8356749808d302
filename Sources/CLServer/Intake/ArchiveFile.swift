import CArchive
import Glibc

/// An archive's entry that is not a directory.
struct ArchiveFile {
  enum Content {
    case bytes([UInt8])
    case refused(String)
  }

  /// As stored; names that are not UTF-8 are repaired and refused.
  var path: String
  var content: Content
}

extension ArchiveFile {
  /// Unpacks tar (plain, gzip, xz, zstd) and zip in memory. Every byte that unpacks counts towards the limits, wanted or not.
  static func all(in body: [UInt8], limits: IntakeLimits) throws(IntakeError) -> [ArchiveFile] {
    var result: Result<[ArchiveFile], IntakeError> = .success([])
    body.withUnsafeBytes { bytes in
      do throws(IntakeError) {
        result = .success(try all(in: bytes, limits: limits))
      } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }

  private static func all(
    in body: UnsafeRawBufferPointer, limits: IntakeLimits
  ) throws(IntakeError) -> [ArchiveFile] {
    guard let archive = archive_read_new() else { throw .damagedArchive("no memory") }
    defer { archive_read_free(archive) }
    archive_read_support_filter_gzip(archive)
    archive_read_support_filter_xz(archive)
    archive_read_support_filter_zstd(archive)
    archive_read_support_format_tar(archive)
    archive_read_support_format_zip(archive)
    guard archive_read_open_memory(archive, body.baseAddress, body.count) == ARCHIVE_OK else {
      throw failureToOpen(archive)
    }
    var files: [ArchiveFile] = []
    var entries = 0
    var unpacked = 0
    var entry: OpaquePointer?
    while true {
      let status = archive_read_next_header(archive, &entry)
      if status == ARCHIVE_EOF { break }
      guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
        throw entries == 0 ? failureToOpen(archive) : .damagedArchive(message(archive))
      }
      entries += 1
      guard entries <= limits.maximumItems else { throw .limit(name: "maximumItems", limit: limits.maximumItems) }
      let path = self.path(of: entry)
      let content = try self.content(of: entry, in: archive, limits: limits, unpacked: &unpacked)
      guard let content else { continue }
      if let valid = path.valid {
        files.append(ArchiveFile(path: valid, content: content))
      } else {
        files.append(ArchiveFile(path: path.repaired, content: .refused("the path is not UTF-8")))
      }
    }
    return files
  }

  /// libarchive calls a compressed archive that is cut short "unrecognized" (EILSEQ) as well as what is no archive.
  private static func failureToOpen(_ archive: OpaquePointer) -> IntakeError {
    guard archive_errno(archive) == EILSEQ else { return .damagedArchive(message(archive)) }
    let isCompressed = archive_filter_count(archive) > 1
    return isCompressed ? .damagedArchive("compressed, but no tar archive inside, or cut short") : .notAnArchive
  }

  private static func path(of entry: OpaquePointer) -> (valid: String?, repaired: String) {
    // The first is nil where the C library's locale cannot convert the stored bytes; the second gives them as they are.
    guard let stored = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else { return ("", "") }
    return (String(validatingCString: stored), String(cString: stored))
  }

  /// The entry's bytes, or why they are not taken; nil for a directory.
  private static func content(
    of entry: OpaquePointer, in archive: OpaquePointer, limits: IntakeLimits, unpacked: inout Int
  ) throws(IntakeError) -> Content? {
    let isLink = archive_entry_hardlink(entry) != nil || archive_entry_symlink(entry) != nil
    let type = UInt32(archive_entry_filetype(entry))
    var refusal: String?
    if isLink {
      refusal = "a link"
    } else if type != regularFile, type != directory {
      refusal = "not a regular file"
    }
    var bytes: [UInt8] = []
    var size = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = buffer.withUnsafeMutableBytes { archive_read_data(archive, $0.baseAddress, $0.count) }
      if count == 0 { break }
      if count < 0 {
        guard count == Int(ARCHIVE_FAILED) || count == Int(ARCHIVE_WARN) || count == Int(ARCHIVE_RETRY) else {
          throw .damagedArchive(message(archive))
        }
        refusal = refusal ?? message(archive)
        break
      }
      unpacked += count
      size += count
      guard unpacked <= limits.maximumUnpackedBytes else {
        throw .limit(name: "maximumUnpackedBytes", limit: limits.maximumUnpackedBytes)
      }
      if size > limits.maximumItemBytes {
        bytes = []
      } else if refusal == nil {
        bytes.append(contentsOf: buffer[..<count])
      }
    }
    if type == directory, !isLink { return nil }
    if size > limits.maximumItemBytes { refusal = refusal ?? limits.itemTooLarge(size) }
    return refusal.map { .refused($0) } ?? .bytes(bytes)
  }

  // The C macros AE_IFREG and AE_IFDIR are casts, which Swift does not import.
  private static let regularFile: UInt32 = 0o100_000
  private static let directory: UInt32 = 0o040_000

  private static func message(_ archive: OpaquePointer) -> String {
    archive_error_string(archive).map { String(cString: $0) } ?? "unreadable"
  }
}
