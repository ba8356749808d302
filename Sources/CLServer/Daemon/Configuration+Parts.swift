package import CLModels
package import HTTP

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

  package var promptTrainerOptions: PromptTrainerOptions {
    var training = PromptTrainingOptions()
    training.examplesPerEpisode = promptEpisode
    training.seed = seed
    let custom = PromptRecipe(
      name: "custom", steps: promptSteps, learningRate: promptRate, backboneShare: Float(promptShare))
    return PromptTrainerOptions(
      recipes: promptSteps > 0 ? [custom] : [.gentle, .strong], lambda: Float(promptLambda), training: training,
      rows: promptRows, isDeep: promptDepth == .deep, exemplars: promptExemplars,
      largestSet: promptExamples, fewestJudges: promptJudges, checkpointSeconds: checkpointSeconds)
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
