import CArchive

/// Writes archives with libarchive, for tests that read them back.
struct TestArchive {
  enum Kind {
    case file([UInt8])
    case symbolicLink(to: String)
    case hardLink(to: String)
    case directory
    case device
  }

  enum Format: CaseIterable {
    case tar, tarGzip, tarXZ, tarZstandard, zip
  }

  static func bytes(_ entries: [(String, Kind)], format: Format = .tar) -> [UInt8] {
    let archive = archive_write_new()
    defer { archive_write_free(archive) }
    switch format {
    case .tar: break
    case .tarGzip: archive_write_add_filter_gzip(archive)
    case .tarXZ: archive_write_add_filter_xz(archive)
    case .tarZstandard: archive_write_add_filter_zstd(archive)
    case .zip: archive_write_set_format_zip(archive)
    }
    if format != .zip { archive_write_set_format_pax_restricted(archive) }
    var out = [UInt8](repeating: 0, count: 1 << 24)
    var used = 0
    out.withUnsafeMutableBytes { buffer in
      precondition(archive_write_open_memory(archive, buffer.baseAddress, buffer.count, &used) == ARCHIVE_OK)
      for (path, kind) in entries {
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, path)
        archive_entry_set_perm(entry, 0o644)
        var content: [UInt8] = []
        switch kind {
        case .file(let bytes):
          archive_entry_set_filetype(entry, 0o100_000)
          content = bytes
        case .symbolicLink(let target):
          archive_entry_set_filetype(entry, 0o120_000)
          archive_entry_set_symlink(entry, target)
        case .hardLink(let target):
          archive_entry_set_filetype(entry, 0o100_000)
          archive_entry_set_hardlink(entry, target)
        case .directory: archive_entry_set_filetype(entry, 0o040_000)
        case .device:
          archive_entry_set_filetype(entry, 0o020_000)
          archive_entry_set_rdev(entry, 0x0103)
        }
        archive_entry_set_size(entry, Int64(content.count))
        archive_write_header(archive, entry)
        if !content.isEmpty { archive_write_data(archive, content, content.count) }
      }
      archive_write_close(archive)
    }
    return Array(out[..<used])
  }
}
