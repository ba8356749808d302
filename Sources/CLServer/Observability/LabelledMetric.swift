import Synchronization

/// A family of metrics, one for each combination of label values.
///
/// Keep the metric of values known beforehand: the look-up takes a lock. Combinations are bounded, because label values
/// may come from requests: past the bound all new ones share the values `other`.
package final class LabelledMetric<Metric: MetricValue>: Sendable {
  /// Most combinations of one family.
  package static var bound: Int { 1000 }

  private let labelNames: [String]
  private let make: @Sendable () -> Metric
  private let metrics = Mutex<[[String]: Metric]>([:])

  init(labelNames: [String], make: @escaping @Sendable () -> Metric) {
    self.labelNames = labelNames
    self.make = make
    // A metric without labels is there from the start, at zero.
    if labelNames.isEmpty { _ = self[[]] }
  }

  /// The metric with these label values, in the order of the names. Traps when their number differs.
  package subscript(values: String...) -> Metric { self[values] }

  package subscript(values: [String]) -> Metric {
    precondition(values.count == labelNames.count, "label values for \(labelNames)")
    return metrics.withLock { metrics in
      if let metric = metrics[values] { return metric }
      let key = metrics.count < Self.bound ? values : labelNames.map { _ in "other" }
      if let metric = metrics[key] { return metric }
      let metric = make()
      metrics[key] = metric
      return metric
    }
  }

  func samples() -> [MetricSample] {
    let sorted = metrics.withLock { $0 }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    return sorted.flatMap { values, metric in
      metric.samples(labels: zip(labelNames, values).map { (name: $0, value: $1) })
    }
  }
}
