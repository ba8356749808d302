import Synchronization

/// All metrics of the process, and their text for Prometheus (exposition format 0.0.4).
///
/// Register each family once, at the start; registering a bad or a repeated name is a programmer's error and traps.
/// What is registered is updated without touching the registry.
package final class MetricsRegistry: Sendable {
  private let families = Mutex<[MetricFamily]>([])

  package init() {}

  /// The media type of `exposition()`.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// A count that only grows; the name ends in `_total`.
  package func counter(_ name: String, _ help: String) -> Counter {
    counter(name, help, labels: [])[]
  }

  package func counter(_ name: String, _ help: String, labels: [String]) -> LabelledMetric<Counter> {
    precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
    return labelled(name, help, "counter", labels) { Counter() }
  }

  /// A value that goes up and down.
  package func gauge(_ name: String, _ help: String) -> Gauge {
    gauge(name, help, labels: [])[]
  }

  package func gauge(_ name: String, _ help: String, labels: [String]) -> LabelledMetric<Gauge> {
    labelled(name, help, "gauge", labels) { Gauge() }
  }

  /// A value asked for when the metrics are read; nil leaves it out. Called on the thread that reads the metrics.
  package func gauge(_ name: String, _ help: String, value: @escaping @Sendable () -> Double?) {
    add(MetricFamily(name: name, help: help, type: "gauge", samples: Self.single(value)))
  }

  /// Like the gauge with a callback, for counts that something else keeps.
  package func counter(_ name: String, _ help: String, value: @escaping @Sendable () -> Double?) {
    precondition(name.hasSuffix("_total"), "a counter's name ends in _total: \(name)")
    add(MetricFamily(name: name, help: help, type: "counter", samples: Self.single(value)))
  }

  /// Values asked for when the metrics are read, one for each set of label values.
  package func gauge(
    _ name: String, _ help: String, labels: [String],
    values: @escaping @Sendable () -> [(labels: [String], value: Double)]
  ) {
    Self.check(name, labels)
    add(
      MetricFamily(name: name, help: help, type: "gauge") {
        values().map { MetricSample(suffix: "", labels: Array(zip(labels, $0.labels)), value: $0.value) }
      })
  }

  /// A distribution over fixed buckets; `bounds` are upper bounds, ascending, without infinity.
  package func histogram(_ name: String, _ help: String, bounds: [Double]) -> Histogram {
    histogram(name, help, labels: [], bounds: bounds)[]
  }

  package func histogram(
    _ name: String, _ help: String, labels: [String], bounds: [Double]
  ) -> LabelledMetric<Histogram> {
    precondition(!bounds.isEmpty && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds of \(name)")
    return labelled(name, help, "histogram", labels) { Histogram(bounds: bounds) }
  }

  /// Everything, families by name.
  package func exposition() -> String {
    let sorted = families.withLock { $0 }.sorted { $0.name < $1.name }
    var text = ""
    for family in sorted { family.append(to: &text) }
    return text
  }

  private func labelled<Metric: MetricValue>(
    _ name: String, _ help: String, _ type: String, _ labels: [String], make: @escaping @Sendable () -> Metric
  ) -> LabelledMetric<Metric> {
    Self.check(name, labels)
    let metric = LabelledMetric(labelNames: labels, make: make)
    add(MetricFamily(name: name, help: help, type: type) { metric.samples() })
    return metric
  }

  private func add(_ family: MetricFamily) {
    Self.check(family.name, [])
    families.withLock { families in
      precondition(!families.contains { $0.name == family.name }, "metric registered twice: \(family.name)")
      families.append(family)
    }
  }

  private static func single(_ value: @escaping @Sendable () -> Double?) -> @Sendable () -> [MetricSample] {
    { value().map { [MetricSample(suffix: "", labels: [], value: $0)] } ?? [] }
  }

  private static func check(_ name: String, _ labels: [String]) {
    precondition(!name.isEmpty && name.utf8.allSatisfy(isNameByte), "metric name: \(name)")
    precondition(labels.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isNameByte) }, "labels of \(name)")
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
