/// What the connections of one reactor share. Belongs to the reactor's thread.
package final class ConnectionContext {
  package let configuration: HTTPServerConfiguration
  package let router: Router
  package let budget: BodyBudget
  let parserLimits: HTTPParserLimits
  /// The value of the Date field, kept up to date by the reactor.
  package var date: [UInt8] = HTTPDate.format(0)
  private var nextRequestID: UInt64
  private let requestIDStep: UInt64

  /// - Parameters:
  ///   - firstRequestID: different for every reactor and at most `requestIDStep`.
  ///   - requestIDStep: the number of reactors, so that no two give the same id.
  package init(
    configuration: HTTPServerConfiguration, router: Router, budget: BodyBudget, firstRequestID: UInt64 = 1,
    requestIDStep: UInt64 = 1
  ) {
    self.configuration = configuration
    self.router = router
    self.budget = budget
    nextRequestID = firstRequestID
    self.requestIDStep = requestIDStep
    var limits = HTTPParserLimits()
    limits.requestLineBytes = configuration.requestLineBytes
    limits.headerBytes = configuration.headerBytes
    limits.headerFields = configuration.headerFields
    limits.trailerBytes = configuration.trailerBytes
    parserLimits = limits
  }

  func takeRequestID() -> UInt64 {
    defer { nextRequestID += requestIDStep }
    return nextRequestID
  }
}
