/// Deadlines: each phase has its own, and output has one whatever the phase.
extension HTTPConnection {
  /// When `expire` has something to do; nil for never.
  package var deadline: Moment? {
    switch (writeDeadline, phaseDeadline) {
    case (let write?, let phase?): min(write, phase)
    case (let write, let phase): write ?? phase
    }
  }

  private var writeDeadline: Moment? {
    output.isEmpty ? nil : outputProgress + context.configuration.writeTimeout
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
    guard let phaseDeadline, phaseDeadline <= now else { return }
    switch phase {
    case .head:
      let problem = HTTPProblems.timeout(
        "The request's head did not arrive within \(context.configuration.headerDeadline).",
        setting: "header_deadline_seconds")
      answer(problem.response(), lingering: true, now)
    case .body, .discarding: checkBodyRate(now)
    default: close()
    }
  }

  private mutating func checkBodyRate(_ now: Moment) {
    let configuration = context.configuration
    let seconds =
      Double(configuration.bodyRateWindow.components.seconds)
      + Double(configuration.bodyRateWindow.components.attoseconds) * 1e-18
    if Double(windowReceived) >= Double(configuration.minimumBodyRate) * seconds {
      windowReceived = 0
      phaseStarted = now
    } else if phase == .discarding {
      close()
    } else {
      let problem = HTTPProblems.timeout(
        "The request's body came at less than \(configuration.minimumBodyRate) bytes a second.",
        setting: "minimum_body_rate")
      answer(problem.response(), lingering: true, now)
    }
  }
}
