import FoundationEssentials
import Glibc

/// A directory in the ImageFolder layout: `CLASS/FILE`, or `CLASS/GROUP/FILE`.
package struct ImageFolder: Sendable, Equatable {
  package struct Item: Sendable, Equatable {
    /// Relative to the directory, with slashes.
    package let path: String
    package let size: Int
  }

  package let directory: String
  /// Sorted by path.
  package let items: [Item]
  /// Files outside the layout, relative to the directory: beside the classes, or deeper than a group.
  package let skipped: [String]

  /// Looks through `directory`. Names that begin with a dot are passed over; links are followed.
  package init(_ directory: String) throws(ClientError) {
    var items: [Item] = []
    var skipped: [String] = []
    try Self.scan(directory, "", depth: 0, &items, &skipped)
    self.directory = directory
    self.items = items.sorted { $0.path < $1.path }
    self.skipped = skipped.sorted()
    if items.isEmpty { throw .file(path: directory, reason: "no files in folders of classes (CLASS/FILE) here") }
  }

  package var classCount: Int { Set(items.map { $0.path.prefix { $0 != "/" } }).count }

  private static func scan(
    _ directory: String, _ prefix: String, depth: Int, _ items: inout [Item], _ skipped: inout [String]
  ) throws(ClientError) {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw .file(path: directory, reason: "it cannot be read as a directory")
    }
    for name in names where !name.hasPrefix(".") {
      let path = prefix + name
      var status = stat()
      guard stat("\(directory)/\(name)", &status) == 0 else {
        skipped.append(path)
        continue
      }
      switch status.st_mode & S_IFMT {
      case S_IFDIR where depth < 2:
        try scan("\(directory)/\(name)", path + "/", depth: depth + 1, &items, &skipped)
      case S_IFREG where depth > 0:
        items.append(Item(path: path, size: status.st_size))
      default:
        skipped.append(path)
      }
    }
  }
}
