package import HTTP

/// Counts finished requests and writes the access log.
package struct HTTPMonitor: HTTPObserver {
  private let requests: LabelledMetric<Counter>
  private let seconds: LabelledMetric<Histogram>
  private let received: Counter
  private let sent: Counter
  private let logger: Logger

  package init(_ registry: MetricsRegistry, logger: Logger) {
    self.logger = logger
    requests = registry.counter(
      "clserver_http_requests_total", "Finished requests.", labels: ["method", "route", "status"])
    seconds = registry.histogram(
      "clserver_http_request_seconds", "Time from a request's first byte to its answer.", labels: ["route"],
      bounds: Histogram.durations)
    received = registry.counter("clserver_http_received_bytes_total", "Bytes of request bodies.")
    sent = registry.counter("clserver_http_sent_bytes_total", "Bytes of response bodies.")
  }

  package func acceptingFailed(_ error: SystemCallError) {
    logger.warning("no connection can be taken", [LogField("error", .text(error.description))])
  }

  package func finished(_ exchange: HTTPExchange) {
    let route = exchange.route ?? "none"
    let method = HTTPMethod(rawValue: exchange.method).isKnown ? exchange.method : "other"
    requests[method, route, String(exchange.status)].increment()
    seconds[route].observe(exchange.duration / .seconds(1))
    received.increment(by: exchange.bytesReceived)
    sent.increment(by: exchange.bytesSent)
    // Probes would drown the rest.
    let level: LogLevel = route == "/healthz" || route == "/readyz" || route == "/metrics" ? .debug : .info
    logger.log(
      level, "request",
      [
        LogField("id", .integer(Int(exchange.id))), LogField("method", .text(exchange.method)),
        LogField("target", .text(exchange.target)), LogField("status", .integer(exchange.status)),
        LogField("received", .integer(exchange.bytesReceived)), LogField("sent", .integer(exchange.bytesSent)),
        LogField("seconds", .number(exchange.duration / .seconds(1))),
        LogField("client", .text(exchange.remoteAddress)),
      ])
  }
}
