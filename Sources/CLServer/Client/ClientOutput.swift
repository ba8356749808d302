import Glibc

/// Where a client command writes: results to standard output, everything else to standard error.
package struct ClientOutput: Sendable {
  package let result: @Sendable (String) -> Void
  package let notice: @Sendable (String) -> Void
  /// Whether notices go to a terminal, where a line may be drawn over.
  package let isTerminal: Bool

  package init(
    result: @escaping @Sendable (String) -> Void, notice: @escaping @Sendable (String) -> Void, isTerminal: Bool
  ) {
    self.result = result
    self.notice = notice
    self.isTerminal = isTerminal
  }

  package static let standard = ClientOutput(
    result: { FileDescriptorWriting.writeAll($0, to: STDOUT_FILENO) },
    notice: { FileDescriptorWriting.writeAll($0, to: STDERR_FILENO) },
    isTerminal: isatty(STDERR_FILENO) == 1)

  package func print(_ line: String) { result(line + "\n") }

  package func tell(_ line: String) { notice(line + "\n") }

  /// The server's JSON as it came, on a line of its own; nothing when there is none (204).
  package func printRaw(_ body: [UInt8]) {
    if body.isEmpty { return }
    let text = String(decoding: body, as: UTF8.self)
    result(text.hasSuffix("\n") ? text : text + "\n")
  }
}
