import CLModels

/// The table: one line a setting. Parsing, validation, `--help`, the environment and `docs/configuration.md` all come from it.
extension Setting {
  package static let all: [Setting] =
    server + computation + learning + prompts + experts + logging + connections + requests + queues

  private static let server = [
    Setting(
      "listen", .server, .address, "Address to serve on; port 0 lets the system choose and prints it.",
      read: { .address($0.listen) },
      write: { if case .address(let value) = $1 { $0.listen = value } }),
    path("state", .server, \.state, "Directory of the database; made if it is missing."),
    path("backbone", .server, \.backbone, "Directory with the backbone's model.safetensors and config.json."),
    seconds(
      "drain_timeout_seconds", .server, 0...3600, \.drainTimeoutSeconds,
      "How long requests in progress may take after SIGTERM."),
  ]

  private static let computation = [
    integer("threads", .computation, 0...1024, \.threads, "Computing threads; 0 takes one a core."),
    integer(
      "resolution", .computation, 16...1024, \.resolution,
      "Side in pixels of the image the backbone sees; a multiple of its patch. 160 is fast, 224 more accurate."),
    choice(
      "instruction_set", .computation, \.instructionSet,
      "Processor instructions to use; auto takes the fastest there are."),
    choice("precision", .computation, \.precision, "Arithmetic of the backbone."),
  ]

  private static let learning = [
    choice("head", .learning, \.head, "How classes are told apart; closed-form chooses by the number of examples."),
    integer(
      "crossing", .learning, 1...1_000_000, \.crossing,
      "Examples from which closed-form uses random features instead of kernel ridge."),
    integer(
      "random_feature_count", .learning, 64...65_536, \.randomFeatureCount,
      "Random features of the random-features head."),
    Setting(
      "seed", .learning, .natural, "Seed of the random features and of prompts.",
      read: { .natural($0.seed) }, write: { if case .natural(let value) = $1 { $0.seed = value } }),
    choice("learner", .learning, \.learner, "How a task is learned, where the request does not say."),
    number(
      "holdout", .learning, 0...0.9, \.holdout,
      "Share of a class's examples held out to measure accuracy, where the request does not say."),
    onOff(
      "near_duplicates", .learning, \.nearDuplicates, "Keep near-duplicate images on one side of the held-out split."),
    integer("keep_versions", .learning, 0...1_000_000, \.keepVersions, "Versions kept for rollback; 0 keeps all."),
  ]

  private static let prompts = [
    integer(
      "prompt_steps", .prompts, 0...100_000, \.promptSteps,
      "Steps of training for a task's prompts or expert; 0 tries the built-in recipes. Experts so trained have a feature "
        + "of their own."),
    number(
      "prompt_rate", .prompts, 1e-6...1, \.promptRate,
      "Learning rate at the start of its cosine, where prompt_steps is not 0."),
    integer("prompt_rows", .prompts, 1...64, \.promptRows, "Prompt rows of a task, and of the global group."),
    choice(
      "prompt_depth", .prompts, \.promptDepth,
      "With an offset before every block, or none; prompts that exist stay as they are."),
    number("prompt_lambda", .prompts, 1e-4...100, \.promptLambda, "Ridge in the objective prompts are trained by."),
    number(
      "prompt_share", .prompts, 0...0.99, \.promptShare,
      "Weight of the backbone's own kernel in that objective, where prompt_steps is not 0."),
    integer("prompt_episode", .prompts, 8...4096, \.promptEpisode, "Most examples in one step of training."),
    integer(
      "prompt_exemplars", .prompts, 2...100_000, \.promptExemplars,
      "Examples of a class of an earlier task that prompts and experts are trained on, chosen by herding."),
    integer(
      "prompt_examples", .prompts, 2...20_000, \.promptExamples,
      "With more training examples than this in all, prompts and experts are neither trained nor read."),
    integer(
      "prompt_judges", .prompts, 1...1_000_000, \.promptJudges,
      "Examples that prompts or an expert never saw, needed to tell whether they help; with fewer, none are trained."),
    seconds(
      "checkpoint_seconds", .prompts, 0.1...30, \.checkpointSeconds, "Time between checkpoints of training."),
    bytes(
      "token_memory_bytes", .prompts, 0, 1 << 40, \.tokenMemoryBytes,
      "Memory for what is frozen of the examples that prompts or an expert are trained on."),
    bytes(
      "token_file_bytes", .prompts, 0, 1 << 44, \.tokenFileBytes,
      "Room in the state directory for those that memory does not hold; they are computed again where both are full."),
  ]

  private static let experts = [
    integer(
      "expert_heads", .experts, ExpertShape.headRange, \.expertHeads, "Heads that a new expert adds to each block."),
    integer(
      "expert_blocks", .experts, 1...1000, \.expertBlocks,
      "How many of the backbone's last blocks experts stand beside, at most all; after a change those of before go."),
    integer(
      "expert_limit", .experts, 1...1000, \.expertLimit, "Most experts there may be; a task that comes later adds none."
    ),
  ]

  private static let logging = [
    choice("log_level", .logging, \.logLevel, "Least severe messages to write."),
    choice("log_format", .logging, \.logFormat, "Lines for people, or one JSON object a line."),
  ]

  private static let connections = [
    integer("reactors", .connections, 0...64, \.reactors, "Threads that read and write sockets; 0 takes one."),
    integer("maximum_connections", .connections, 1...1_000_000, \.maximumConnections, "Connections open at one time."),
    bytes(
      "request_line_bytes", .connections, 1 << 10, 1 << 20, \.requestLineBytes,
      "Longest request line: method, target and version."),
    bytes("header_bytes", .connections, 1 << 10, 1 << 20, \.headerBytes, "Largest request head."),
    integer("header_fields", .connections, 1...10_000, \.headerFields, "Most header fields in a request."),
    bytes("trailer_bytes", .connections, 1 << 10, 1 << 20, \.trailerBytes, "Largest trailer of a chunked body."),
    seconds(
      "header_deadline_seconds", .connections, 0.1...3600, \.headerDeadlineSeconds, "Time to send a whole request head."
    ),
    seconds(
      "idle_timeout_seconds", .connections, 0.1...86_400, \.idleTimeoutSeconds,
      "Time a connection may wait between requests."
    ),
    seconds(
      "write_timeout_seconds", .connections, 0.1...3600, \.writeTimeoutSeconds,
      "Time without progress after which a response is given up."),
    bytes(
      "minimum_body_rate", .connections, 0, 1 << 30, \.minimumBodyRate,
      "Bytes a second at which a request body must come and an answer be taken, streams excepted; 0 does not ask."),
    bytes(
      "maximum_buffered_bytes", .connections, 1 << 20, 1 << 40, \.maximumBufferedBytes,
      "Bytes of bodies held for all connections together."),
    seconds(
      "sse_heartbeat_seconds", .connections, 0.1...3600, \.sseHeartbeatSeconds,
      "Time between comments that keep an event stream open."),
  ]

  private static let requests = [
    bytes("predict_body_bytes", .requests, 1 << 10, 1 << 34, \.predictBodyBytes, "Largest body of POST /predict."),
    bytes(
      "task_body_bytes", .requests, 1 << 10, 1 << 40, \.taskBodyBytes,
      "Largest body of POST /tasks and POST /tasks/{id}/examples."),
    bytes("other_body_bytes", .requests, 1 << 10, 1 << 30, \.otherBodyBytes, "Largest body of any other request."),
    integer("maximum_items", .requests, 1...10_000_000, \.maximumItems, "Most examples in one request."),
    bytes("maximum_item_bytes", .requests, 1 << 10, 1 << 34, \.maximumItemBytes, "Largest single example."),
    bytes(
      "maximum_unpacked_bytes", .requests, 1 << 10, 1 << 40, \.maximumUnpackedBytes,
      "Most bytes an archive may unpack to."),
    bytes("maximum_label_bytes", .requests, 1, 4096, \.maximumLabelBytes, "Longest name of a class, in UTF-8."),
    integer("json_depth", .requests, 1...512, \.jsonDepth, "Deepest nesting of JSON."),
    integer("image_pixels", .requests, 1...1_000_000_000, \.imagePixels, "Most pixels in an image."),
    integer("image_side", .requests, 1...1_000_000, \.imageSide, "Longest side of an image in pixels."),
    integer(
      "top_k_default", .requests, 1...10_000, \.topKDefault,
      "Classes listed in an answer, where the request does not say."),
    integer(
      "idempotency_hours", .requests, 1...8760, \.idempotencyHours, "How long an Idempotency-Key is remembered."),
  ]

  private static let queues = [
    integer("predict_queue", .queues, 1...1_000_000, \.predictQueue, "Inputs that may wait for a prediction."),
    integer("predict_inputs", .queues, 1...1_000_000, \.predictInputs, "Most inputs in one prediction request."),
    integer("task_queue", .queues, 1...1_000_000, \.taskQueue, "Tasks that may wait to be learned."),
  ]
}
