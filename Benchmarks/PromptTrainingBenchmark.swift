import CLModels
import Foundation
import Synchronization
import Tensor

/// `benchmarks pop-training`: the same masked prompts (a group P and a group Q of one row each, added to before every block)
/// trained by PyTorch and by us on the same images, in episodes of 16 classes of 6 images, two threads each, taking turns
/// in one run. Medians; the first step of a turn is left out. PyTorch's `plain` runs whole sequences, its `cached` keeps keys
/// and values in float as we do in int8; making what is kept is counted apart.
///
/// Its OpenMP threads spin: on a machine that is busy otherwise it loses more than we do. The ratio of the least times
/// tells, which is printed too.
///
/// Flags: `--backbone DIR`, `--images DIR`; `--python FILE` (default /usr/bin/python3): with PyTorch; `--images-count N`
/// (default 200), `--steps N` of ours (default 12), `--peer-steps N` of each variant (default 6), `--turns N` (default 2),
/// `--resolution N` (default 160). `--refine` measures a task's whole refinement instead (`runRefinementBenchmark`).
func runPromptTrainingBenchmark(arguments: [String], json: Bool) throws {
  if arguments.contains("--refine") { return try runRefinementBenchmark(arguments: arguments, json: json) }
  func number(_ flag: String, _ usual: Int) -> Int { value(of: flag, in: arguments).flatMap { Int($0) } ?? usual }
  let count = max(96, number("--images-count", 200))
  let turns = max(1, number("--turns", 2))
  let resolution = number("--resolution", 160)
  // Two at least, since the first of a turn is left out.
  let steps = max(2, number("--steps", 12).dividedRoundingUp(by: turns))
  let peerSteps = max(2, number("--peer-steps", 6).dividedRoundingUp(by: turns))
  let material = BackboneMaterial(arguments: arguments)
  let backbone = try material.load(.int8, resolution: resolution)
  let images = try material.photographs(count, side: 96).map { backbone.preprocessing.crop($0) }
  // Ten of a class, so that episodes differ; what the classes are does not change the time.
  let labels = images.indices.map { $0 % max(16, count / 10) }
  let peer = try PromptPeer(
    python: URL(filePath: value(of: "--python", in: arguments) ?? "/usr/bin/python3"), backbone: material.directory,
    images.map { backbone.preprocessing.normalize($0) }, labels: labels, resolution: resolution)
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }

  var frozen = FrozenImages()
  let caching = seconds { frozen = FrozenImages(images, backbone: backbone, pool: pool) }
  let training = try promptTraining(
    backbone, back: backbone.transposed(), frozen, labels: labels, preferred: Set(0..<5), steps: turns * steps,
    pool: pool)
  var ours: [Double] = []
  var losses: [Double] = []
  var answers: [PromptPeer.Variant: [PromptPeer.Answer]] = [:]
  for turn in 0..<turns {
    for variant in PromptPeer.Variant.allCases {
      answers[variant, default: []].append(try peer.train(variant, steps: peerSteps, seed: turn))
    }
    for step in 0..<steps {
      let now = seconds { if let report = training.step() { losses.append(report.loss) } }
      if step > 0 { ours.append(now) }
    }
  }
  guard losses.count == turns * steps else { throw BenchmarkError("a step had to be dropped") }

  func theirs(_ variant: PromptPeer.Variant) -> [Double] { (answers[variant] ?? []).flatMap(\.laterSteps) }
  let own = median(ours)
  let (plain, cached) = (median(theirs(.plain)), median(theirs(.cached)))
  func least(_ variant: PromptPeer.Variant) -> Double { (theirs(variant).min() ?? 0) / (ours.min() ?? 1) }
  let cachedSeconds = median((answers[.cached] ?? []).map(\.cachingSeconds))
  let gflops = median(answers.values.flatMap { $0 }.map(\.gemmGflops))
  let version = answers[.plain]?.first?.torch ?? ""
  let size = 96.0
  print(
    "\(count) images at \(resolution) px, \(backbone.description.instructionSet.rawValue), PyTorch \(version) "
      + "(\(formatted(gflops, 0)) GFLOP/s)")
  for (name, times, kept) in [
    ("ours", ours, caching), ("PyTorch plain", theirs(.plain), 0), ("PyTorch cached", theirs(.cached), cachedSeconds),
  ] {
    print(
      "\(name): \(formatted(median(times), 3)) s a step (least \(formatted(times.min() ?? 0, 3))), "
        + "\(formatted(size / median(times), 1)) images a second, caching \(formatted(kept, 1)) s")
  }
  print(
    "ours is \(formatted(plain / own, 1)) times as fast as plain (goal: 5), "
      + "\(formatted(cached / own, 1)) times as fast as cached; by least times "
      + "\(formatted(least(.plain), 1)) and \(formatted(least(.cached), 1))")
  if json {
    print(
      """
      {"name":"pop-training","ours":\(own),"plain":\(plain),"cached":\(cached),"times_plain":\(plain / own),\
      "times_cached":\(cached / own),"times_plain_of_least":\(least(.plain)),\
      "times_cached_of_least":\(least(.cached)),"unit":"seconds a step","images_per_second":\(size / own),\
      "caching_ours":\(caching),"caching_peer":\(cachedSeconds),"images":\(count),"resolution":\(resolution),"threads":2,\
      "torch":"\(version)","peer_gemm_gflops":\(gflops),\
      "instruction_set":"\(backbone.description.instructionSet.rawValue)"}
      """)
  }
}

/// Features and frozen tokens of some images.
struct FrozenImages {
  private(set) var features = Matrix<Float>(rows: 0, columns: 0)
  private(set) var tokens: [FrozenTokens] = []

  init() {}

  /// Some of them.
  func selecting(_ indices: [Int]) -> FrozenImages {
    var result = FrozenImages()
    result.features = features.selectingRows(indices)
    result.tokens = indices.map { tokens[$0] }
    return result
  }

  init(_ images: [RGBImage], backbone: VisionTransformer, pool: ComputePool) {
    let found = Mutex([(feature: [Float], tokens: FrozenTokens)?](repeating: nil, count: images.count))
    pool.forEach(images.count, priority: .background) { index in
      let item = backbone.freeze(images[index]) { pool.yield() }
      found.withLock { $0[index] = item }
    }
    let items = found.withLock { $0.compactMap { $0 } }
    features = Matrix(items.map(\.feature))
    tokens = items.map(\.tokens)
  }
}

/// A task's training as the daemon sets it up by default: P and Q of one row, deep.
func promptTraining(
  _ backbone: VisionTransformer, back: TransposedBackbone, _ frozen: FrozenImages, labels: [Int], preferred: Set<Int>,
  steps: Int, pool: ComputePool
) -> SourceTraining {
  var options = SourceTrainingOptions()
  options.steps = steps
  var generator = SeededGenerator(seed: options.seed)
  let layout = PromptLayout(
    groups: [.init(rows: 1, readsTasks: false), .init(rows: 1, readsTasks: true)], isDeep: true)
  let start = layout.groups.flatMap { group in
    PromptLayout.start(
      rows: group.rows, backbone: backbone, isDeep: true, noise: options.startNoise, generator: &generator)
  }
  return SourceTraining(
    .prompts(backbone, back: back, layout: layout, earlierRows: 0, tokens: { (frozen.tokens[$0], nil) }), start: start,
    set: SourceTrainingSet(features: frozen.features, labels: labels, preferred: preferred), options: options,
    pool: pool)
}

/// Benchmarks/Peers/pytorch_prompts.py on images written to files.
private struct PromptPeer {
  enum Variant: String, CaseIterable { case plain, cached }

  struct Answer: Decodable {
    let stepSeconds: [Double]
    let cachingSeconds: Double
    let gemmGflops: Double
    let torch: String
    /// Without the one that warms up.
    var laterSteps: ArraySlice<Double> { stepSeconds.dropFirst() }
  }

  private let python: URL
  private let arguments: [String]
  private let scratch: ScratchDirectory

  init(python: URL, backbone: URL, _ images: [[Float]], labels: [Int], resolution: Int) throws {
    self.python = python
    scratch = try ScratchDirectory()
    let pixels = try scratch.write(images.flatMap { $0 }, to: "images.f32")
    let classes = scratch.url.appending(path: "labels.i32")
    try labels.map { Int32($0) }.withUnsafeBytes { try Data($0).write(to: classes) }
    arguments = [
      "Benchmarks/Peers/pytorch_prompts.py", "--images", pixels.path, "--labels", classes.path, "--backbone",
      backbone.path, "--resolution", "\(resolution)", "--threads", "2",
    ]
  }

  /// One run of its program, which says on standard error how far it is.
  func train(_ variant: Variant, steps: Int, seed: Int) throws -> Answer {
    let process = Process()
    let output = Pipe()
    process.executableURL = python
    process.arguments = arguments + ["--variant", variant.rawValue, "--steps", "\(steps)", "--seed", "\(seed)"]
    process.standardOutput = output
    do { try process.run() } catch { throw BenchmarkError("cannot run \(python.path): \(error)") }
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw BenchmarkError("the peer ended early") }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Answer.self, from: text)
  }
}

extension Int {
  fileprivate func dividedRoundingUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
