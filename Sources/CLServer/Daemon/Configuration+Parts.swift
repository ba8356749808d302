package import CLModels
package import HTTP
package import Tensor

/// The parts of the configuration in the types of the targets they are for.
extension IntakeLimits {
  package init(_ configuration: Configuration) {
    self.init()
    maximumItems = configuration.maximumItems
    maximumItemBytes = configuration.maximumItemBytes
    maximumUnpackedBytes = configuration.maximumUnpackedBytes
    maximumLabelBytes = configuration.maximumLabelBytes
    jsonDepth = configuration.jsonDepth
  }
}

extension Configuration {
  package var imageLimits: ImageLimits { ImageLimits(maximumPixels: imagePixels, maximumSide: imageSide) }

  package var closedFormOptions: ClosedFormOptions {
    var options = ClosedFormOptions()
    options.method = ClosedFormMethod(rawValue: head.rawValue) ?? .automatic
    options.crossing = crossing
    options.randomFeatureCount = randomFeatureCount
    options.seed = seed
    return options
  }

  /// How sources are trained with recipes of their own, unless `prompt_steps` says how.
  private func refiningOptions(_ recipes: [Recipe]) -> RefiningOptions {
    var training = SourceTrainingOptions()
    training.examplesPerEpisode = promptEpisode
    training.seed = seed
    let custom = Recipe(
      name: "custom", steps: promptSteps, learningRate: promptRate, backboneShare: Float(promptShare),
      expertFeature: .own)
    return RefiningOptions(
      recipes: promptSteps > 0 ? [custom] : recipes, lambda: Float(promptLambda), training: training,
      exemplars: promptExemplars, largestSet: promptExamples, fewestJudges: promptJudges,
      checkpointSeconds: checkpointSeconds)
  }

  fileprivate var promptOptions: RefiningOptions { refiningOptions([.gentle, .strong]) }

  fileprivate var expertOptions: RefiningOptions {
    var options = refiningOptions(Recipe.expert)
    options.training.warmUp = 20
    options.training.weightDecay = 0.01
    return options
  }

  package var httpConfiguration: HTTPServerConfiguration {
    var http = HTTPServerConfiguration(address: listen)
    http.reactors = max(1, reactors)
    http.maximumConnections = maximumConnections
    http.requestLineBytes = requestLineBytes
    http.headerBytes = headerBytes
    http.headerFields = headerFields
    http.trailerBytes = trailerBytes
    http.headerDeadline = .seconds(headerDeadlineSeconds)
    http.idleTimeout = .seconds(idleTimeoutSeconds)
    http.writeTimeout = .seconds(writeTimeoutSeconds)
    http.minimumBodyRate = minimumBodyRate
    http.maximumBufferedBytes = maximumBufferedBytes
    return http
  }
}

extension SourceTrainers {
  package init(_ configuration: Configuration, backbone: VisionTransformer, pool: ComputePool) {
    let blocks = min(configuration.expertBlocks, backbone.description.blocks)
    func cache<Frozen: FrozenBytes>(_ shape: Frozen.Shape) -> FrozenCache<Frozen> {
      FrozenCache(
        shape: shape, memoryBytes: configuration.tokenMemoryBytes, fileBytes: configuration.tokenFileBytes,
        directory: configuration.state)
    }
    self.init(
      prompts: PromptTrainer(
        backbone: backbone, options: configuration.promptOptions, rows: configuration.promptRows,
        frozen: cache(backbone.frozenShape), pool: pool),
      experts: ExpertTrainer(
        backbone: backbone, options: configuration.expertOptions, heads: configuration.expertHeads,
        limit: configuration.expertLimit,
        frozen: cache(backbone.frozenHeadsShape(blocks: blocks)), pool: pool),
      emptyBank: SourceBank(
        prompts: PromptBank(isDeep: configuration.promptDepth == .deep), experts: ExpertBank(blocks: blocks)))
  }
}
