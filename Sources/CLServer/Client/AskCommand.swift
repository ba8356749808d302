import Glibc
package import JSONTree

/// `clserver ask FILE...`: what the files show.
package struct AskCommand {
  /// Several files are sent together up to these, so that no request outgrows the server's limits.
  private static let mostFiles = 64
  private static let mostBytes = 16 << 20

  let client: APIClient
  let output: ClientOutput
  let json: Bool

  /// - Returns: the exit code: 1 when any file could not be classified.
  func run(_ files: [String], topK: Int?) throws(ClientError) -> Int32 {
    let sizes = try measured(files)
    var failed = false
    var position = 0
    while position < files.count {
      var end = position + 1
      var bytes = sizes[position]
      while end < files.count, end - position < Self.mostFiles, bytes + sizes[end] <= Self.mostBytes {
        bytes += sizes[end]
        end += 1
      }
      let body = try ask(Array(files[position..<end]), sizes[position], topK)
      if json {
        output.printRaw(body)
      } else {
        failed = show(body, Array(files[position..<end]), ranking: topK != nil) || failed
      }
      position = end
    }
    return failed ? Program.ExitCode.refused : Program.ExitCode.success
  }

  private func measured(_ files: [String]) throws(ClientError) -> [Int] {
    var sizes: [Int] = []
    for file in files {
      var status = stat()
      guard stat(file, &status) == 0 else { throw .file(path: file, reason: String(cString: strerror(errno))) }
      guard status.st_mode & S_IFMT == S_IFREG else { throw .file(path: file, reason: "it is no file") }
      guard access(file, R_OK) == 0 else { throw .file(path: file, reason: String(cString: strerror(errno))) }
      sizes.append(status.st_size)
    }
    return sizes
  }

  private func ask(_ files: [String], _ size: Int, _ topK: Int?) throws(ClientError) -> [UInt8] {
    let query = topK.map { [(name: "top_k", value: String($0))] } ?? []
    if files.count > 1 { return try client.send("POST", "/predict", query: query, body: .multipart(files: files)) }
    let descriptor = open(files[0], O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .file(path: files[0], reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    let body = CurlExchange.Body.file(descriptor: descriptor, size: size, contentType: "application/octet-stream")
    return try client.send("POST", "/predict", query: query, body: body)
  }

  /// Tells whether any file failed.
  private func show(_ body: [UInt8], _ files: [String], ranking: Bool) -> Bool {
    let answer = JSON.parse(body) ?? .null
    let predictions = answer["predictions"].array ?? [answer]
    var failed = false
    for (index, file) in files.enumerated() {
      let prediction = index < predictions.count ? predictions[index] : .null
      failed = prediction["label"] == .null && !prediction["unknown"].isTrue || failed
      output.print(AskCommand.line(file, prediction, ranking: ranking))
    }
    return failed
  }

  /// `FILE: LABEL 91.2 %`.
  ///
  /// - Parameter ranking: whether the classes after the first follow in parentheses.
  package static func line(_ file: String, _ prediction: JSON, ranking: Bool) -> String {
    let name = TextEscaping.withoutControls(file)
    if let reason = prediction["error"].plain ?? prediction["error"]["detail"].plain {
      return "\(name): \(TextEscaping.withoutControls(reason))"
    }
    let label = prediction["label"].plain
    guard label != nil || prediction["unknown"].isTrue else { return "\(name): no answer" }
    let shown = prediction["unknown"].isTrue ? "unknown" + (label.map { " (\($0)?)" } ?? "") : label ?? ""
    var line = "\(name): \(TextEscaping.withoutControls(shown)) \(Figures.percent(prediction["confidence"].double))"
    guard ranking else { return line }
    let others = (prediction["top"].array ?? []).dropFirst().map { other in
      "\(TextEscaping.withoutControls(other["label"].plain ?? "?")) \(Figures.percent(other["confidence"].double))"
    }
    if !others.isEmpty { line += "  (" + others.joined(separator: ", ") + ")" }
    return line
  }
}
