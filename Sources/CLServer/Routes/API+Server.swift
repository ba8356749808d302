import CLModels
import HTTP
import Storage

extension API {
  func addServerRoutes(to router: inout Router) {
    // Health is answered by the reactor itself, whatever else is going on.
    let healthy = JSON.object(["status": "ok"]).response()
    router.on(.get, "/healthz") { _, responder in responder.send(healthy) }
    router.on(.get, "/readyz") { _, responder in
      if let reason = lifecycle.unavailable {
        responder.send(ServiceProblems.unavailable(reason))
      } else {
        responder.send(healthy)
      }
    }
    router.on(
      .get, "/metrics",
      reading { _ in
        HTTPResponse(
          status: 200, contentType: MetricsRegistry.contentType, body: Array(metrics.exposition().utf8))
      })
    let description = HTTPResponse(status: 200, contentType: "application/yaml", body: openAPI)
    router.on(.get, "/openapi.yaml") { _, responder in responder.send(description) }
    let backbone = embedder.backbone.description.document.response()
    router.on(.get, "/backbone") { _, responder in responder.send(backbone) }
  }
}
