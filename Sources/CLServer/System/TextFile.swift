import Glibc

/// Small text files.
package enum TextFile {
  /// A configuration file larger than this is a mistake.
  private static let limit = 1 << 20

  /// The whole file as UTF-8, or why it cannot be had.
  package static func read(_ path: String) -> Result<String, ConfigurationLoader.FileProblem> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return problem(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count <= limit {
      let got = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if got < 0 && errno == EINTR { continue }
      if got < 0 { return problem(String(cString: strerror(errno))) }
      if got == 0 { break }
      bytes += chunk[..<got]
    }
    guard bytes.count <= limit else { return problem("it is larger than 1 MiB") }
    guard let text = String(validating: bytes, as: UTF8.self) else { return problem("it is not UTF-8") }
    return .success(text)
  }

  private static func problem(_ reason: String) -> Result<String, ConfigurationLoader.FileProblem> {
    .failure(ConfigurationLoader.FileProblem(reason: reason))
  }
}
