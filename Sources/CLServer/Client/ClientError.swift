import JSONTree

/// Why a client command failed; decides its exit code.
package enum ClientError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The server answered with an error.
  case refused(status: Int, problem: ProblemReport)
  /// No answer: no connection, or it broke.
  case unreachable(server: String, reason: String)
  /// An answer that is not what the API promises.
  case unexpectedAnswer(String)
  /// A file or directory of this machine.
  case file(path: String, reason: String)
  /// The task was accepted, but learning it failed or was cancelled.
  case taskFailed(String)

  package var exitCode: Int32 {
    switch self {
    case .refused, .unexpectedAnswer, .taskFailed: Program.ExitCode.refused
    case .file: Program.ExitCode.usage
    case .unreachable: Program.ExitCode.unreachable
    }
  }

  package var description: String {
    switch self {
    case .refused(let status, let problem): problem.text(status: status)
    case .unreachable(let server, let reason):
      "cannot reach the server at \(TextEscaping.withoutControls(server)): \(TextEscaping.withoutControls(reason))"
    case .unexpectedAnswer(let what): "unexpected answer of the server: \(TextEscaping.withoutControls(what))"
    case .file(let path, let reason): "\(TextEscaping.withoutControls(path)): \(TextEscaping.withoutControls(reason))"
    case .taskFailed(let why): TextEscaping.withoutControls(why)
    }
  }
}

/// What a problem document (RFC 9457) says.
package struct ProblemReport: Sendable, Equatable {
  package let title: String?
  package let detail: String?
  /// The other members that are plain values, by name: `field`, `limit` and the like.
  package let extensions: [String: String]

  /// Takes what is there; a body that is no problem document gives an empty report.
  package init(_ body: [UInt8]) {
    let document = JSON.parse(body)?.object ?? [:]
    title = document["title"]?.text
    detail = document["detail"]?.text
    let known: Set = ["title", "detail", "status", "type", "instance"]
    extensions = document.filter { !known.contains($0.key) }.compactMapValues(\.plain)
  }

  package func text(status: Int) -> String {
    var lines = ["\(title ?? "the server refused") (\(status))"]
    if let detail { lines.append("  \(detail)") }
    lines += extensions.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }
    return lines.map(TextEscaping.withoutControls).joined(separator: "\n")
  }
}
