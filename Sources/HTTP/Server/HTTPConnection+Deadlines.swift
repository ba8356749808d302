/// Deadlines: each phase has its own, and output has one whatever the phase.
extension HTTPConnection {
  /// When `expire` has something to do; nil for never.
  package var deadline: Moment? {
    Self.earlier(phaseDeadline, Self.earlier(writeDeadline, outputRateDeadline))
  }

  private static func earlier(_ one: Moment?, _ other: Moment?) -> Moment? {
    if let one, let other { min(one, other) } else { one ?? other }
  }

  private var writeDeadline: Moment? {
    output.isEmpty ? nil : outputProgress + context.configuration.writeTimeout
  }

  /// A stream is written at its producer's pace, so that only the write deadline counts for it.
  private var outputRateDeadline: Moment? {
    let configuration = context.configuration
    guard configuration.minimumBodyRate > 0, !output.isEmpty, !isStreaming else { return nil }
    return outputWindowStarted + configuration.writeTimeout
  }

  private var phaseDeadline: Moment? {
    let configuration = context.configuration
    switch phase {
    case .idle: return output.isEmpty ? phaseStarted + configuration.idleTimeout : nil
    case .head: return phaseStarted + configuration.headerDeadline
    case .body, .discarding:
      return configuration.minimumBodyRate > 0 ? phaseStarted + configuration.bodyRateWindow : nil
    case .lingering: return output.isEmpty ? phaseStarted + configuration.lingerTimeout : nil
    case .handling, .streaming, .closing, .closed: return nil
    }
  }

  /// The time is `now`: does what is due.
  package mutating func expire(now: Moment) {
    if let writeDeadline, writeDeadline <= now { return abort(now) }
    if let outputRateDeadline, outputRateDeadline <= now {
      guard keepsRate(windowSent, context.configuration.writeTimeout) else { return abort(now) }
      startOutputWindow(now)
    }
    guard let phaseDeadline, phaseDeadline <= now else { return }
    switch phase {
    case .head:
      let problem = HTTPProblems.timeout(
        "The request's head did not arrive within \(context.configuration.headerDeadline).",
        limit: context.configuration.headerDeadline / .seconds(1), setting: "header_deadline_seconds")
      answer(problem.response(), lingering: true, now)
    case .body, .discarding: checkBodyRate(now)
    default: close()
    }
  }

  private mutating func checkBodyRate(_ now: Moment) {
    let configuration = context.configuration
    if keepsRate(windowReceived, configuration.bodyRateWindow) {
      windowReceived = 0
      phaseStarted = now
    } else if phase == .discarding {
      close()
    } else {
      let problem = HTTPProblems.timeout(
        "The request's body came at less than \(configuration.minimumBodyRate) bytes a second.",
        limit: Double(configuration.minimumBodyRate), setting: "minimum_body_rate")
      answer(problem.response(), lingering: true, now)
    }
  }

  private func keepsRate(_ bytes: Int, _ window: Duration) -> Bool {
    Double(bytes) >= Double(context.configuration.minimumBodyRate) * (window / .seconds(1))
  }
}
