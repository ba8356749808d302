/// What the learner counts.
package struct LearningMetrics: Sendable {
  package let embedded: Counter
  package let fitSeconds: Histogram

  package init(_ registry: MetricsRegistry) {
    embedded = registry.counter("clserver_examples_embedded_total", "Examples turned into features.")
    fitSeconds = registry.histogram(
      "clserver_fit_seconds", "Time to fit and measure a version.", bounds: Histogram.durations)
  }
}
