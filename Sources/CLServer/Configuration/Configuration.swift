package import HTTP

/// Everything that can be set. The values here are the defaults; `Setting.all` says how each is named, checked and described.
///
/// Counts are items, sizes are bytes, times are seconds unless the name says otherwise.
package struct Configuration: Sendable, Equatable {
  // Where
  package var listen = HTTPAddress(host: "127.0.0.1", port: 8080)
  package var state = "var/state"
  package var backbone = "var/backbones/clip-vit-b-16"

  // Computation
  /// 0: one worker a core.
  package var threads = 0
  package var resolution = 160
  package var instructionSet = InstructionSetChoice.auto
  package var precision = PrecisionChoice.int8

  // Learning
  package var head = HeadChoice.closedForm
  package var crossing = 4000
  package var randomFeatureCount = 3000
  package var seed: UInt64 = 1
  package var learner = TeachingRequest.Learner.pop
  package var holdout = 0.2
  package var nearDuplicates = true
  /// 0: every version is kept.
  package var keepVersions = 50

  // Prompts
  /// 0: the built-in recipes.
  package var promptSteps = 0
  package var promptRate = 1e-3
  package var promptRows = 1
  package var promptDepth = PromptDepth.deep
  package var promptLambda = 0.2
  package var promptShare = 0.5
  package var promptEpisode = 96
  package var promptExemplars = 20
  package var promptExamples = 6000
  package var promptJudges = 75
  package var checkpointSeconds = 10.0

  // Experts
  package var expertHeads = 1
  package var expertBlocks = 4
  package var expertLimit = 50

  // Training
  package var tokenMemoryBytes = 1 << 30
  package var tokenFileBytes = 16 << 30

  // Logging
  package var logLevel = LogLevel.info
  package var logFormat = LogFormat.text

  // Connections
  /// 0: one reactor.
  package var reactors = 0
  package var maximumConnections = 1024
  package var requestLineBytes = 8 << 10
  package var headerBytes = 32 << 10
  package var headerFields = 100
  package var trailerBytes = 8 << 10
  package var headerDeadlineSeconds = 10.0
  package var idleTimeoutSeconds = 60.0
  package var writeTimeoutSeconds = 30.0
  /// Bytes a second, of a request's body and of an answer.
  package var minimumBodyRate = 1024
  package var maximumBufferedBytes = 1 << 30
  package var drainTimeoutSeconds = 30.0
  package var sseHeartbeatSeconds = 15.0

  // Requests
  package var predictBodyBytes = 32 << 20
  package var taskBodyBytes = 512 << 20
  package var otherBodyBytes = 1 << 20
  package var maximumItems = 100_000
  package var maximumItemBytes = 32 << 20
  package var maximumUnpackedBytes = 1 << 30
  package var maximumLabelBytes = 256
  package var jsonDepth = 32
  package var imagePixels = 50_000_000
  package var imageSide = 20_000
  package var topKDefault = 5
  package var idempotencyHours = 24

  // Queues
  package var predictQueue = 256
  package var predictInputs = 256
  package var taskQueue = 64

  /// Where each setting that is not at its default came from, by key.
  package var origins: [String: SettingSource] = [:]

  package init() {}

  /// A refusal that names the setting and where its value came from, for checks that need more than the value itself
  /// (a directory that cannot be written, a resolution the backbone cannot take).
  package func refusal(of key: String, reason: String) -> ConfigurationError {
    let value = Setting.named(key)?.value(in: self) ?? ""
    return .badValue(key: key, value: value, reason: reason, source: origins[key] ?? .builtIn)
  }
}

/// The kernels to use; `auto` takes the fastest this processor runs.
package enum InstructionSetChoice: String, Sendable, CaseIterable {
  case auto, scalar, avx2, avx512
}

/// The arithmetic of the backbone.
package enum PrecisionChoice: String, Sendable, CaseIterable {
  case int8, float
}

/// Whether prompts have offsets before every block, or only a start.
package enum PromptDepth: String, Sendable, CaseIterable {
  case deep, shallow
}

/// The head to fit; `closed-form` goes from kernel ridge to random features at `crossing` examples.
package enum HeadChoice: String, Sendable, CaseIterable {
  case closedForm = "closed-form"
  case kernelRidge = "kernel-ridge"
  case randomFeatures = "random-features"
  case nearestClassMean = "nearest-class-mean"
  case sharedCovariance = "shared-covariance"
}
