/// Shows how far something is: a bar drawn over itself on a terminal, otherwise a line every quarter.
package struct ProgressBar {
  private static let width = 30

  private let output: ClientOutput
  private var lastPhase = ""
  private var lastShown = -1
  private var drawn = false

  package init(_ output: ClientOutput) { self.output = output }

  /// - Parameters:
  ///   - phase: what is going on; a new one begins a new line.
  ///   - note: follows the counts.
  package mutating func show(_ phase: String, done: Int, total: Int, note: String = "") {
    if phase != lastPhase {
      finish()
      lastPhase = phase
      lastShown = -1
    }
    let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 0
    let step = Int(share * (output.isTerminal ? 200 : 4))
    if step == lastShown { return }
    lastShown = step
    let percent = "\(Int(share * 100)) %"
    if output.isTerminal {
      let full = Int(share * Double(Self.width))
      let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.width - full)
      output.notice("\r\u{1B}[K\(phase) [\(bar)] \(percent)\(note.isEmpty ? "" : ", \(note)")")
      drawn = true
    } else {
      output.tell("\(phase): \(percent)\(note.isEmpty ? "" : ", \(note)")")
    }
  }

  /// Ends the line that is being drawn.
  package mutating func finish() {
    if drawn { output.notice("\n") }
    drawn = false
  }
}
