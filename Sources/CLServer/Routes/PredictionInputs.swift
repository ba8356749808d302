import FoundationEssentials
import HTTP

/// The inputs of a request to predict.
struct PredictionInputs: Sendable {
  let list: [PredictionInput]
  /// Whether the body was one input and not a list of one.
  let isSingle: Bool

  private static let mediaTypes =
    "image/jpeg, image/png, image/webp, application/octet-stream, multipart/form-data or application/json"

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
      list = [.image(request.body)]
      isSingle = true
      return
    }
    switch MediaType.essence(request.headers["Content-Type"]) {
    case "multipart/form-data":
      let parts = try MultipartBody.parts(request, limit: configuration.predictInputs, setting: "predict_inputs")
      list = parts.map { .image(Array(request.body[$0.body])) }
      isSingle = parts.count == 1
    case "application/json":
      let body: Body = try JSONBody.decode(request.body, depth: configuration.jsonDepth)
      switch (body.data, body.inputs) {
      case (let data?, nil):
        guard let bytes = Data(base64Encoded: data) else { throw ServiceProblems.unprocessable("data", "not base64") }
        list = [.image(Array(bytes))]
        isSingle = true
      case (nil, let inputs?):
        list = inputs.map(\.input)
        isSingle = false
      default: throw ServiceProblems.unprocessable("body", "it needs either data or inputs")
      }
    default:
      throw ServiceProblems.unsupportedMediaType(request.headers["Content-Type"], accepted: Self.mediaTypes)
    }
    guard !list.isEmpty else { throw ServiceProblems.unprocessable("body", "there is no input in it") }
    guard list.count <= configuration.predictInputs else {
      throw ServiceProblems.overLimit(
        "Inputs of one request", limit: configuration.predictInputs, setting: "predict_inputs")
    }
  }

  private struct Body: Decodable {
    let data: String?
    let inputs: [Item]?
  }

  /// Decodes whatever it is given, so that one bad input does not spoil the others.
  private struct Item: Decodable {
    let input: PredictionInput

    private enum CodingKeys: String, CodingKey {
      case data
    }

    init(from decoder: any Decoder) throws {
      let text = try? decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .data)
      guard let text else {
        input = .invalid("data: missing, or not a string")
        return
      }
      input = Data(base64Encoded: text).map { .image(Array($0)) } ?? .invalid("data: not base64")
    }
  }
}
