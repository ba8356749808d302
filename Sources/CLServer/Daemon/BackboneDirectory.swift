package import CLModels

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
        name: directory.split(separator: "/").last.map(String.init) ?? "backbone",
        weightsSHA256: try hash(directory, weights),
        resolution: configuration.resolution,
        instructionSet: InstructionSet(rawValue: configuration.instructionSet.rawValue),
        precision: configuration.precision == .int8 ? .int8 : .float)
      return try VisionTransformer(weights: weights, configuration: Array(config.utf8), options: options)
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(description: "the backbone in \(directory) cannot be loaded: \(error)")
    }
  }

  /// The weights' hash as it was recorded when they were converted; features are stored under it.
  private static func hash(_ directory: String, _ weights: MappedFile) throws(Failure) -> String {
    switch TextFile.read("\(directory)/model.safetensors.sha256") {
    case .success(let text):
      let hash = String(text.prefix { $0.isHexDigit })
      guard hash.count == 64 else {
        throw Failure(description: "\(directory)/model.safetensors.sha256 holds no SHA-256; `make backbone` writes it")
      }
      return hash.lowercased()
    case .failure:
      return weights.sha256
    }
  }
}
