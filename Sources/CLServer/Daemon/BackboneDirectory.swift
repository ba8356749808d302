package import CLModels
import JSONTree

/// A backbone on disk: `config.json`, `model.safetensors` and its hash, as `make backbone` leaves them.
package enum BackboneDirectory {
  /// Why a backbone cannot be loaded; the message says what would help.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// Maps the weights, loads them and lets the mapping go. Takes a fraction of a second.
  package static func load(_ configuration: Configuration) throws(Failure) -> VisionTransformer {
    let directory = configuration.backbone
    let config: String
    switch TextFile.read("\(directory)/config.json") {
    case .success(let text): config = text
    case .failure(let problem):
      throw Failure(
        description: "no backbone in \(directory) (config.json: \(problem.reason)); `make backbone` fetches it")
    }
    do {
      let weights = try MappedFile(path: "\(directory)/model.safetensors")
      let options = VisionTransformerOptions(
        resolution: configuration.resolution,
        instructionSet: InstructionSet(rawValue: configuration.instructionSet.rawValue),
        precision: configuration.precision == .int8 ? .int8 : .float,
        weightsSHA256: recordedHash(config) ?? weights.sha256)
      return try VisionTransformer(weights: weights, configuration: Array(config.utf8), options: options)
    } catch {
      throw Failure(description: "the backbone in \(directory) cannot be loaded: \(error)")
    }
  }

  /// The weights' hash as it was recorded when they were converted; features are stored under it. Nil where `config`
  /// has none, as a checkpoint that was brought along.
  private static func recordedHash(_ config: String) -> String? {
    JSON.parse(Array(config.utf8))?["weights_sha256"].text
  }
}
