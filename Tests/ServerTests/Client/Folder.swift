import Glibc
import Testing

/// A directory of files that is removed with the value.
final class Folder {
  let path: String

  init(_ files: [String: String]) throws {
    var template = Array("/tmp/clserver-folder-XXXXXX".utf8CString)
    mkdtemp(&template)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for (name, content) in files {
      var parent = path
      for part in name.split(separator: "/").dropLast() {
        parent += "/\(part)"
        mkdir(parent, 0o755)
      }
      let file = try #require(fopen("\(path)/\(name)", "w"))
      fputs(content, file)
      fclose(file)
    }
  }

  deinit { _ = system("rm -rf '\(path)'") }
}
