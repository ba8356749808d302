import CArchive
import CLServer
import Glibc
import Testing

/// Reads a tar stream back with libarchive's reader.
private func entries(_ descriptor: Int32) throws -> [(path: String, content: String)] {
  lseek(descriptor, 0, SEEK_SET)
  let archive = try #require(archive_read_new())
  defer { archive_read_free(archive) }
  archive_read_support_format_tar(archive)
  try #require(archive_read_open_fd(archive, descriptor, 10240) == ARCHIVE_OK)
  var found: [(path: String, content: String)] = []
  var entry: OpaquePointer?
  while archive_read_next_header(archive, &entry) == ARCHIVE_OK {
    var bytes = [UInt8](repeating: 0, count: Int(archive_entry_size(entry)))
    let count = archive_read_data(archive, &bytes, bytes.count)
    let name = archive_entry_pathname_utf8(entry).map { String(cString: $0) } ?? ""
    found.append((name, String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)))
  }
  return found
}

@Test func aFolderIsPackedClassByClass() throws {
  let long = String(repeating: "n", count: 180) + ".png"
  let folder = try Folder([
    "apple/1.jpg": "one", "apple/g/2.jpg": "two", "pear/ü.jpg": "drei", "pear/\(long)": "", "readme.txt": "no",
    "apple/.hidden": "no", "apple/g/deeper/3.jpg": "no",
  ])
  let found = try ImageFolder(folder.path)
  #expect(found.items.map(\.path) == ["apple/1.jpg", "apple/g/2.jpg", "pear/\(long)", "pear/ü.jpg"])
  #expect(found.skipped == ["apple/g/deeper", "readme.txt"])
  #expect(found.classCount == 2)
  let file = try TemporaryFile(directory: "/tmp")
  try TarPacker.pack(found, to: file.descriptor)
  #expect(file.size % 512 == 0)
  let packed = try entries(file.descriptor)
  #expect(packed.map(\.path) == found.items.map(\.path))
  #expect(packed.map(\.content) == ["one", "two", "", "drei"])
}

@Test func theSameFolderGivesTheSameBytes() throws {
  let folder = try Folder(["a/1": "x", "b/2": "y"])
  let packed = try (0..<2).map { _ in
    let file = try TemporaryFile(directory: "/tmp")
    try TarPacker.pack(try ImageFolder(folder.path), to: file.descriptor)
    var bytes = [UInt8](repeating: 0, count: file.size)
    #expect(pread(file.descriptor, &bytes, bytes.count, 0) == bytes.count)
    return bytes
  }
  #expect(packed[0] == packed[1])
}

@Test func aFileThatShrinksIsNotSentPadded() throws {
  let folder = try Folder(["a/1": "long"])
  let found = try ImageFolder(folder.path)
  truncate("\(folder.path)/a/1", 1)
  let file = try TemporaryFile(directory: "/tmp")
  #expect(throws: ClientError.self) { try TarPacker.pack(found, to: file.descriptor) }
}

@Test func aFolderWithoutClassesIsRefused() throws {
  let folder = try Folder(["1.jpg": "x"])
  let reason = "no files in folders of classes (CLASS/FILE) here"
  #expect(throws: ClientError.file(path: folder.path, reason: reason)) { try ImageFolder(folder.path) }
  #expect(throws: ClientError.file(path: "/nonexistent", reason: "it cannot be read as a directory")) {
    try ImageFolder("/nonexistent")
  }
}
