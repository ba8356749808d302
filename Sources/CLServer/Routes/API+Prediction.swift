import HTTP
import JSONTree
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
        try prediction.predict(inputs.list, top: top) { version, outcomes in
          responder.send(Self.answer(version, outcomes, isSingle: inputs.isSingle))
        }
      } catch {
        switch error {
        case .nothingLearned: throw ServiceProblems.nothingLearned
        case .tooMany(let limit):
          throw ServiceProblems.overLimit("Inputs of one request", limit: limit, setting: "predict_queue")
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
      case .unreadable(let reason): return ServiceProblems.unreadableImage(reason).response()
      }
    }
    let predictions = outcomes.enumerated().map { index, outcome -> JSON in
      switch outcome {
      case .ranked(let ranked): .object(JSON.prediction(ranked))
      case .unreadable(let reason): .object(["index": .integer(index), "error": .string(reason)])
      }
    }
    return JSON.object(["version": .integer(version), "predictions": .array(predictions)]).response()
  }
}
