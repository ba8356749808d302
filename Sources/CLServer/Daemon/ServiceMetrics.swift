package import Storage

/// Gauges of what the services hold, read when the metrics are.
package enum ServiceMetrics {
  package static func register(
    in registry: MetricsRegistry, serving: ServingState, prediction: PredictionService,
    features: @escaping @Sendable () -> Int,
    store: Store
  ) {
    registry.gauge("clserver_version", "The version that answers.") { serving.current.map { Double($0.version) } }
    registry.gauge("clserver_classes", "Classes that answer.") {
      Double(serving.current?.answering ?? 0)
    }
    registry.gauge("clserver_features", "Examples with features in memory.") { Double(features()) }
    registry.gauge("clserver_prediction_queue_length", "Inputs taken and not answered yet.") {
      Double(prediction.pending)
    }
    registry.gauge("clserver_jobs_pending", "Jobs that wait for the learner.") {
      (try? store.pendingJobs().count).map(Double.init)
    }
    registry.gauge("clserver_database_size_bytes", "Size of the database file.") {
      (try? store.fileSize()).map(Double.init)
    }
    registry.gauge("clserver_tasks", "Tasks by state.", labels: ["state"]) {
      let tasks = (try? store.tasks()) ?? []
      return TaskState.allCases.map { state in
        ([state.rawValue], Double(tasks.filter { $0.state == state }.count))
      }
    }
  }
}
