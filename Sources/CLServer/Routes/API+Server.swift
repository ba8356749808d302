import CLModels
import HTTP
import JSONTree
import Storage

extension API {
  func addServerRoutes(to router: inout Router) {
    // Health is answered by the reactor itself, whatever else is going on.
    let healthy = JSON.object(["status": "ok"]).response()
    add(.get, "/healthz", to: &router) { _, responder in responder.send(healthy) }
    add(.get, "/readyz", to: &router) { _, responder in
      if let reason = lifecycle.unavailable {
        responder.send(ServiceProblems.unavailable(reason))
      } else {
        responder.send(healthy)
      }
    }
    add(
      .get, "/metrics", to: &router,
      reading { _ in
        HTTPResponse(
          status: 200, contentType: MetricsRegistry.contentType, body: Array(metrics.exposition().utf8))
      })
    let description = HTTPResponse(status: 200, contentType: "application/yaml", body: openAPI)
    add(.get, "/openapi.yaml", to: &router) { _, responder in responder.send(description) }
    let backbone = embedder.backbone.description.document.response()
    add(.get, "/backbone", to: &router) { _, responder in responder.send(backbone) }
  }
}
