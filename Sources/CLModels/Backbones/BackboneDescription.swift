/// What a loaded backbone is.
package struct BackboneDescription: Sendable, Equatable {
  package let name: String
  /// Of the weights file, as the caller gave it.
  package let weightsSHA256: String
  /// Which library's names the file has.
  package let naming: String
  /// Pixels of the square input's side.
  package let resolution: Int
  /// Pixels of a square patch's side.
  package let patch: Int
  /// Class token, distillation token where there is one, and patches.
  package let tokens: Int
  package let blocks: Int
  package let width: Int
  package let heads: Int
  package let mlpWidth: Int
  /// Numbers in a feature: the projection's outputs, or `width` without a projection.
  package let featureWidth: Int
  /// What products are computed in.
  package let precision: BackbonePrecision
  package let instructionSet: InstructionSet
}

/// What matrix products are computed in.
package enum BackbonePrecision: String, Sendable, CaseIterable {
  /// Weights in 8 bits with a scale an output, activations in 8 bits with a scale and a zero point a token.
  case int8
  /// Both in float32; int8 weights are multiplied out at load. Four times the memory; for reference.
  case float
}

/// How to load a backbone.
package struct VisionTransformerOptions: Sendable {
  /// A multiple of the patch; nil takes the resolution the model was trained at.
  package var resolution: Int?
  /// nil takes the best this processor has.
  package var instructionSet: InstructionSet?
  package var precision: BackbonePrecision
  /// Handed on to the description.
  package var weightsSHA256: String

  package init(
    resolution: Int? = nil, instructionSet: InstructionSet? = nil, precision: BackbonePrecision = .int8,
    weightsSHA256: String = ""
  ) {
    self.resolution = resolution
    self.instructionSet = instructionSet
    self.precision = precision
    self.weightsSHA256 = weightsSHA256
  }
}
