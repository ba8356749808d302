package import HTTP
package import Storage
package import Tensor

/// The routes and what they are answered with. One file a noun adds its own.
package struct API: Sendable {
  package let configuration: Configuration
  package let store: Store
  package let teaching: TeachingService
  package let learning: LearningService
  package let prediction: PredictionService
  package let serving: ServingState
  package let progress: ProgressBoard
  package let events: EventHub
  package let embedder: Embedder
  package let metrics: MetricsRegistry
  package let pool: ComputePool
  /// Reads of the database.
  package let readQueue: WorkQueue
  /// Requests that change something small: one after the other.
  package let writeQueue: WorkQueue
  /// Requests that teach, which take as long as their images: one after the other.
  package let teachQueue: WorkQueue
  package let lifecycle: Lifecycle
  package let openAPI: [UInt8]
  package let logger: Logger

  package init(
    configuration: Configuration, store: Store, teaching: TeachingService, learning: LearningService,
    prediction: PredictionService, serving: ServingState, progress: ProgressBoard, events: EventHub,
    embedder: Embedder, metrics: MetricsRegistry, pool: ComputePool, readQueue: WorkQueue, writeQueue: WorkQueue,
    teachQueue: WorkQueue, lifecycle: Lifecycle, openAPI: [UInt8], logger: Logger
  ) {
    self.configuration = configuration
    self.store = store
    self.teaching = teaching
    self.learning = learning
    self.prediction = prediction
    self.serving = serving
    self.progress = progress
    self.events = events
    self.embedder = embedder
    self.metrics = metrics
    self.pool = pool
    self.readQueue = readQueue
    self.writeQueue = writeQueue
    self.teachQueue = teachQueue
    self.lifecycle = lifecycle
    self.openAPI = openAPI
    self.logger = logger
  }

  /// All routes.
  package var router: Router {
    var router = Router()
    if configuration.listen.isLoopback {
      router.authorize = { head, _, _ in LoopbackGuard.refusal(of: head.headers) }
    }
    addServerRoutes(to: &router)
    addTaskRoutes(to: &router)
    addExampleRoutes(to: &router)
    addClassRoutes(to: &router)
    addPredictionRoutes(to: &router)
    addAccuracyRoutes(to: &router)
    return router
  }

  /// A handler that runs on `queue` and answers with what `body` returns, or with the problem it throws.
  func on(
    _ queue: WorkQueue, _ body: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
  ) -> Handler {
    { [logger] request, responder in
      let taken = queue.submit {
        do {
          responder.send(try body(request))
        } catch let problem as Problem {
          responder.send(problem)
        } catch let error as StorageError {
          let problem = ServiceProblems.of(error)
          if problem.status >= 500 { logger.error("storage failed", [LogField("error", .text(error.description))]) }
          responder.send(problem)
        } catch {
          logger.error("a handler failed", [LogField("error", .text("\(error)"))])
          responder.send(ServiceProblems.failed)
        }
      }
      if !taken { responder.send(ServiceProblems.busy("requests", limit: queue.capacity, setting: nil)) }
    }
  }

  func reading(_ body: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse) -> Handler { on(readQueue, body) }

  func uploading(_ body: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse) -> Handler { on(teachQueue, body) }

  func writing(_ body: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse) -> Handler { on(writeQueue, body) }

  /// A handler that deletes a `noun`: `remove` takes its id and who asks, and what it took away is unlearned.
  func removing(_ noun: String, _ remove: @escaping @Sendable (Int64, String) throws -> Removed) -> Handler {
    writing { request in
      unlearn(try remove(try Self.id(request, noun), Self.actor(request)))
      return HTTPResponse(status: 204)
    }
  }

  /// Takes what was removed out of the answers at once; the learner then makes the version that never saw it.
  private func unlearn(_ removed: Removed) {
    serving.remove(classes: removed.classIDs, examples: removed.exampleIDs)
    learning.forget(removed.exampleIDs)
    learning.wake()
    for id in removed.taskIDs { events.notify(id) }
  }

  /// Registers a route whose requests need no large body.
  func add(_ method: HTTPMethod, _ pattern: String, to router: inout Router, _ handler: @escaping Handler) {
    router.on(
      method, pattern, bodyLimit: configuration.otherBodyBytes, bodyLimitSetting: "other_body_bytes", handler)
  }

  /// The id in the path. Something that is no id names nothing.
  static func id(_ request: HTTPRequest, _ noun: String) throws(Problem) -> Int64 {
    let text = request.parameters["id"] ?? ""
    guard let id = Int64(text), id > 0 else { throw ServiceProblems.notFound(noun, String(text.prefix(40))) }
    return id
  }

  /// A whole number among the query's parameters.
  static func integer(
    _ request: HTTPRequest, _ name: String, in range: ClosedRange<Int>, default value: Int
  ) throws(Problem) -> Int {
    guard let text = request.queryValue(name) else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw ServiceProblems.unprocessable(
        name, "not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Who asks, for the audit.
  static func actor(_ request: HTTPRequest) -> String { request.remoteAddress }
}
