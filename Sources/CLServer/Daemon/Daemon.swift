import CLModels
import Glibc
import HTTP
import Storage
import Tensor

/// The daemon: puts the parts together, runs until it is told to end, and takes them apart again.
package enum Daemon {
  /// Runs to the end; returns the exit code. Errors of the start are printed, not logged: nobody waits for a log yet.
  package static func run(_ configuration: Configuration, environment: [String: String]) -> Int32 {
    SignalHandling.block()
    do {
      let parts = try DaemonParts(configuration, environment: environment)
      try parts.serve()
      return Program.ExitCode.success
    } catch {
      FileDescriptorWriting.writeAll("clserver: \(error)\n", to: STDERR_FILENO)
      return Program.ExitCode.refused
    }
  }
}

/// Everything that lives as long as the daemon.
private struct DaemonParts {
  private let configuration: Configuration
  private let notifier: SystemdNotifier
  private let logWriter: LogWriter
  private let logger: Logger
  private let lifecycle = Lifecycle()
  private let store: Store
  private let pool: ComputePool
  private let learning: LearningService
  private let events: EventHub
  private let readQueue: WorkQueue
  private let writeQueue: WorkQueue
  private let teachQueue: WorkQueue
  private let server: HTTPServer

  init(_ asked: Configuration, environment: [String: String]) throws {
    guard asked.listen.isLoopback else {
      throw asked.refusal(
        of: "listen", reason: "another address than loopback needs API keys, which this version does not have")
    }
    notifier = SystemdNotifier(environment: environment)
    logWriter = LogWriter.standardError(asked, environment: environment)
    logger = Logger(level: asked.logLevel, sink: logWriter)
    let configuration = Self.fitted(asked, logger)
    self.configuration = configuration

    try StateDirectory.create(configuration.state)
    store = try Store(path: "\(configuration.state)/clserver.sqlite", readers: 3) { Timestamp.now().milliseconds }
    let backbone = try BackboneDirectory.load(configuration)
    let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    pool = ComputePool(workers: configuration.threads > 0 ? configuration.threads : max(1, cores))

    let registry = MetricsRegistry()
    ProcessMetrics.register(in: registry)
    let serving = ServingState()
    let progress = ProgressBoard()
    events = EventHub(store: store)
    let embedder = Embedder(backbone: backbone, limits: configuration.imageLimits, pool: pool)
    let features = FeatureLibrary()
    learning = LearningService(
      store: store, embedder: embedder,
      builder: ModelBuilder(
        options: configuration.closedFormOptions, featuresKey: embedder.key, features: features, pool: pool),
      features: features,
      trainers: SourceTrainers(configuration, backbone: backbone, pool: pool),
      serving: serving, progress: progress, events: events, pool: pool, logger: logger,
      metrics: LearningMetrics(registry), keepVersions: configuration.keepVersions)
    let prediction = PredictionService(
      embedder: embedder, serving: serving, pool: pool, capacity: configuration.predictQueue,
      metrics: PredictionMetrics(registry))
    let teaching = TeachingService(
      store: store, learning: learning, checker: ExampleChecker(embedder: embedder, pool: pool),
      splitter: HeldOutSplitter(
        store: store, findsNearDuplicates: configuration.nearDuplicates),
      defaultHoldout: configuration.holdout, defaultLearner: configuration.learner,
      taskQueue: configuration.taskQueue, logger: logger)
    readQueue = WorkQueue(name: "reads", threads: 2, capacity: 1024)
    writeQueue = WorkQueue(name: "writes", threads: 1, capacity: 1024)
    teachQueue = WorkQueue(name: "teach", threads: 1, capacity: max(1, configuration.taskQueue))

    ServiceMetrics.register(
      in: registry, serving: serving, prediction: prediction,
      features: { [key = embedder.key] in features[key].count }, store: store)
    let api = API(
      configuration: configuration, store: store, teaching: teaching, learning: learning, prediction: prediction,
      serving: serving, progress: progress, events: events, embedder: embedder, metrics: registry, pool: pool,
      readQueue: readQueue, writeQueue: writeQueue, teachQueue: teachQueue, lifecycle: lifecycle,
      openAPI: PackageResources.openapi_yaml, logger: logger)
    do throws(HTTPServerError) {
      server = try HTTPServer(
        configuration: configuration.httpConfiguration, router: api.router,
        observer: HTTPMonitor(registry, logger: logger))
    } catch {
      throw configuration.refusal(of: "listen", reason: error.description)
    }
    try learning.restore()
  }

  /// The configuration with no more connections than the process may open.
  private static func fitted(_ asked: Configuration, _ logger: Logger) -> Configuration {
    guard let limit = DescriptorLimit.raise(),
      let connections = DescriptorLimit.clamped(connections: asked.maximumConnections, limit: limit)
    else { return asked }
    logger.warning(
      "maximum_connections is more than the limit on open files (RLIMIT_NOFILE) allows",
      [
        LogField("maximum_connections", .integer(asked.maximumConnections)), LogField("rlimit_nofile", .integer(limit)),
        LogField("used", .integer(connections)),
      ])
    var configuration = asked
    configuration.maximumConnections = connections
    return configuration
  }

  /// Serves until a signal asks for the end.
  func serve() throws {
    try server.start()
    learning.start()
    lifecycle.run()
    Maintenance(store: store, events: events, configuration: configuration).start()
    var address = configuration.listen
    address.port = server.port
    // Scripts read this line to learn the port.
    print("clserver \(Version.current) serves on http://\(address)")
    fflush(nil)
    logger.info("serving", [LogField("address", .text("\(address)"))])
    notifier.ready(status: "Serving on \(address)")
    notifier.startWatchdog { true }

    let drain = Gate()
    let end = Gate()
    SignalHandling.listen { [logger] action, signal in
      logger.info("signal", [LogField("number", .integer(Int(signal)))])
      switch action {
      case .drain: drain.open()
      case .end:
        end.open()
        // The second signal does not wait for anything; what was acknowledged is on disk.
        _exit(Program.ExitCode.success)
      case .ignore: break
      }
    }
    drain.wait()
    stop()
  }

  /// Finishes what was taken, in the order in which the parts depend on each other.
  private func stop() {
    lifecycle.drain()
    notifier.stopping(status: "Draining")
    logger.info("draining")
    let deadline = ContinuousClock.now + .seconds(configuration.drainTimeoutSeconds)
    func left() -> Double { max(0, (deadline - ContinuousClock.now) / .seconds(1)) }
    server.drain(timeout: .seconds(left()))
    teachQueue.close(within: left())
    writeQueue.close(within: left())
    // Between two batches the learner stops within a second; a fit is waited for a little longer than the rest.
    learning.stop(within: max(left(), 5))
    readQueue.close(within: 1)
    pool.shutdown()
    store.close()
    logger.info("ended")
    logWriter.close()
  }
}
