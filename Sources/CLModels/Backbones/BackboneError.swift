/// Why a backbone could not be loaded.
package enum BackboneError: Error, Equatable, Sendable {
  /// `config.json` is not JSON, lacks a key or has a value that makes no sense.
  case configuration(String)
  /// A valid checkpoint of a kind this code does not compute.
  case unsupported(String)
  /// The weights file breaks the safetensors format.
  case weights(SafetensorsError)
  case missingTensor(String)
  case wrongShape(tensor: String, expected: [Int], found: [Int])
  /// The tensor has a number type weights cannot have here.
  case wrongType(tensor: String, type: String)
  /// A weight is infinite or not a number, in the file or in the form that computes.
  case notFinite(tensor: String)
  /// Weights that are finite each, but whose products are not: already a grey image has no finite feature.
  case featuresNotFinite
  case outOfMemory
}

extension BackboneError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .configuration(let reason): "config.json: \(reason)"
    case .unsupported(let reason): "this checkpoint is not supported: \(reason)"
    case .weights(let error): "the weights file is damaged: \(error)"
    case .missingTensor(let name): "the weights file has no tensor \(name)"
    case .wrongShape(let name, let expected, let found): "tensor \(name) has shape \(found), expected \(expected)"
    case .wrongType(let name, let type): "tensor \(name) has type \(type), which weights cannot have"
    case .notFinite(let name): "tensor \(name) holds a number that is not finite"
    case .featuresNotFinite: "the features it computes are not finite numbers"
    case .outOfMemory: "no memory for the weights"
    }
  }
}
