internal import CKernels

/// A vision transformer in the form it computes in, whatever library its checkpoint came from.
struct VisionTransformerParts {
  let description: BackboneDescription
  let preprocessing: ImagePreprocessing
  let patches: PatchEmbedding
  let preNorm: LayerNorm?
  let blocks: [TransformerBlock]
  let finalNorm: LayerNorm
  let projection: Linear?
}

extension VisionTransformerParts {
  /// More than any model at any useful resolution; beyond it sizes could overflow what kernels count in.
  private static let tokenLimit = 16_384
  private static let widthLimit = 16_384

  init(
    file: UnsafeRawBufferPointer, configuration json: [UInt8], options: VisionTransformerOptions
  ) throws(BackboneError) {
    let checkpoint = try Checkpoint(file: file)
    let scheme = checkpoint.scheme
    let configuration = try VisionTransformerConfiguration(json: json, scheme: scheme)
    let instructionSet = options.instructionSet ?? .best
    guard instructionSet.isSupported else {
      throw .unsupported("this processor has no \(instructionSet.rawValue)")
    }

    // Sizes, from the tensors.
    let patchShape = try checkpoint.shape(scheme.patches + ".weight")
    guard patchShape.count == 4, patchShape[1] == 3, patchShape[2] == patchShape[3], (1...256).contains(patchShape[2]),
      (8...Self.widthLimit).contains(patchShape[0])
    else {
      throw .wrongShape(tensor: scheme.patches + ".weight", expected: [768, 3, 16, 16], found: patchShape)
    }
    let width = patchShape[0]
    let patch = patchShape[2]
    let heads = configuration.heads(width: width)
    guard width % heads == 0, width / heads % 8 == 0 else {
      throw .unsupported("\(heads) heads in a width of \(width): a head's width must be a multiple of 8")
    }
    let blockCount = checkpoint.blockCount
    guard blockCount > 0 else { throw .missingTensor(scheme.inBlock(scheme.norm1, 0) + ".weight") }
    let mlpShape = try checkpoint.shape(scheme.inBlock(scheme.mlpUp, 0) + ".weight")
    guard let mlpWidth = mlpShape.first, mlpShape.count == 2, (1...4 * Self.widthLimit).contains(mlpWidth) else {
      throw .wrongShape(
        tensor: scheme.inBlock(scheme.mlpUp, 0) + ".weight", expected: [4 * width, width], found: mlpShape)
    }

    let embedding = try PositionTable(checkpoint: checkpoint, width: width)
    let trained = embedding.grid * patch
    if let imageSize = configuration.imageSize, imageSize / patch != embedding.grid {
      throw .configuration("image_size \(imageSize) does not fit \(embedding.grid) x \(embedding.grid) positions")
    }
    let resolution = options.resolution ?? trained
    guard resolution > 0, resolution % patch == 0, resolution / patch <= 128 else {
      throw .unsupported("a resolution of \(resolution) pixels: it must be a multiple of the patch, \(patch)")
    }
    let preprocessing = ImagePreprocessing(
      size: resolution, mean: configuration.mean, standardDeviation: configuration.standardDeviation)
    let builder = PartsBuilder(
      checkpoint: checkpoint, width: width, mlpWidth: mlpWidth, heads: heads, configuration: configuration,
      precision: options.precision)

    patches = try PatchEmbedding(
      weights: try checkpoint.linear(scheme.patches, outputs: width, inputShape: [3, patch, patch]), patch: patch,
      prefix: embedding.prefix, start: embedding.table(grid: resolution / patch),
      preprocessing: preprocessing, precision: options.precision)
    guard patches.tokens <= Self.tokenLimit else {
      throw .unsupported("a resolution of \(resolution) pixels makes \(patches.tokens) tokens")
    }
    preNorm = try scheme.preNorm.flatMap { checkpoint.contains($0 + ".weight") ? $0 : nil }.map(builder.norm)
    var blocks: [TransformerBlock] = []
    for index in 0..<blockCount {
      blocks.append(try builder.block(index, isLast: index == blockCount - 1))
    }
    self.blocks = blocks
    finalNorm = try builder.norm(scheme.finalNorm)
    if let name = scheme.projection, checkpoint.contains(name + ".weight") {
      let shape = try checkpoint.shape(name + ".weight")
      guard shape.count == 2, (1...Self.widthLimit).contains(shape[0]) else {
        throw .wrongShape(tensor: name + ".weight", expected: [512, width], found: shape)
      }
      projection = try Linear(
        checkpoint.linear(name, outputs: shape[0], inputs: width), precision: options.precision)
    } else {
      projection = nil
    }
    self.preprocessing = preprocessing
    description = BackboneDescription(
      name: configuration.name, weightsSHA256: options.weightsSHA256, naming: scheme.library, resolution: resolution,
      patch: patch, tokens: patches.tokens, blocks: blockCount, width: width, heads: heads, mlpWidth: mlpWidth,
      featureWidth: projection?.outputs ?? width, precision: options.precision, instructionSet: instructionSet)
  }
}
