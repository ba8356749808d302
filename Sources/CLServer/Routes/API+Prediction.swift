import CLModels
import FoundationEssentials
import HTTP
import Tensor

extension API {
  func addPredictionRoutes(to router: inout Router) {
    router.on(
      .post, "/predict", bodyLimit: configuration.predictBodyBytes, bodyLimitSetting: "predict_body_bytes"
    ) { request, responder in
      // Taking several inputs out of a body takes longer than a reactor may.
      if PredictionInputs.isRaw(request) {
        predict(request, responder)
      } else {
        pool.submit(.urgent) { predict(request, responder) }
      }
    }
  }

  private func predict(_ request: HTTPRequest, _ responder: Responder) {
    do throws(Problem) {
      let top = try Self.integer(request, "top_k", in: 1...10_000, default: configuration.topKDefault)
      let inputs = try PredictionInputs(request, configuration)
      do throws(PredictionService.Refusal) {
        try prediction.predict(inputs.images, top: top) { version, outcomes in
          responder.send(Self.answer(version, outcomes, isSingle: inputs.isSingle))
        }
      } catch {
        switch error {
        case .nothingLearned: throw ServiceProblems.nothingLearned
        case .busy(let limit): throw ServiceProblems.busy("predictions", limit: limit, setting: "predict_queue")
        }
      }
    } catch {
      responder.send(error)
    }
  }

  /// One input is answered with the object itself; a failed one among several with its index and error.
  private static func answer(_ version: Int64, _ outcomes: [Prediction], isSingle: Bool) -> HTTPResponse {
    if isSingle, let only = outcomes.first {
      switch only {
      case .ranked(let ranked):
        var members = JSON.prediction(ranked)
        members["version"] = .integer(version)
        return JSON.object(members).response()
      case .unreadable(let error): return ServiceProblems.unreadableImage(error).response()
      }
    }
    let predictions = outcomes.enumerated().map { index, outcome -> JSON in
      switch outcome {
      case .ranked(let ranked): .object(JSON.prediction(ranked))
      case .unreadable(let error): .object(["index": .integer(index), "error": .string(error.description)])
      }
    }
    return JSON.object(["version": .integer(version), "predictions": .array(predictions)]).response()
  }
}

/// The images of a request to predict.
struct PredictionInputs: Sendable {
  let images: [[UInt8]]
  /// Whether the body was one input and not a list of one.
  let isSingle: Bool

  private static let mediaTypes =
    "image/jpeg, image/png, image/webp, application/octet-stream, multipart/form-data or application/json"

  private struct Body: Decodable {
    struct Input: Decodable {
      let data: String
    }

    let data: String?
    let inputs: [Input]?
  }

  /// Whether the body is the image itself. curl's `--data-binary` says it is a form if it is told nothing else.
  static func isRaw(_ request: HTTPRequest) -> Bool {
    switch MediaType.essence(request.headers["Content-Type"]) {
    case nil, "application/octet-stream", "application/x-www-form-urlencoded": true
    case let type?: type.hasPrefix("image/")
    }
  }

  init(_ request: HTTPRequest, _ configuration: Configuration) throws(Problem) {
    if Self.isRaw(request) {
      guard !request.body.isEmpty else { throw ServiceProblems.invalid("body", "it is empty") }
      images = [request.body]
      isSingle = true
      return
    }
    switch MediaType.essence(request.headers["Content-Type"]) {
    case "multipart/form-data":
      let parts = try MultipartBody.parts(request, limit: configuration.predictInputs)
      images = parts.map { Array(request.body[$0.body]) }
      isSingle = parts.count == 1
    case "application/json":
      (images, isSingle) = try Self.decode(try JSONBody.decode(request.body, depth: configuration.jsonDepth))
    default:
      throw ServiceProblems.unsupportedMediaType(request.headers["Content-Type"], accepted: Self.mediaTypes)
    }
    guard !images.isEmpty else { throw ServiceProblems.unprocessable("body", "there is no input in it") }
    guard images.count <= configuration.predictInputs else {
      throw ServiceProblems.overLimit(
        "Inputs of one request", limit: configuration.predictInputs, setting: "predict_inputs")
    }
  }

  private static func decode(_ body: Body) throws(Problem) -> ([[UInt8]], Bool) {
    switch (body.data, body.inputs) {
    case (let data?, nil): return ([try bytes(data, field: "data")], true)
    case (nil, let inputs?):
      var images: [[UInt8]] = []
      for (index, input) in inputs.enumerated() { images.append(try bytes(input.data, field: "inputs.\(index).data")) }
      return (images, false)
    default: throw ServiceProblems.unprocessable("body", "it needs either data or inputs")
    }
  }

  private static func bytes(_ text: String, field: String) throws(Problem) -> [UInt8] {
    guard let data = Data(base64Encoded: text) else { throw ServiceProblems.unprocessable(field, "not base64") }
    return Array(data)
  }
}
