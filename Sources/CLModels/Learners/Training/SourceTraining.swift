package import Tensor

/// How sources of features, prompts or experts, are trained.
package struct SourceTrainingOptions: Sendable, Equatable {
  package var steps = 40
  /// The highest of the schedule: it rises over `warmUp` steps, half of all at most, and falls along half a cosine.
  package var learningRate = 1e-3
  package var warmUp = 0
  package var weightDecay = 0.0
  package var objective = SourceObjective.leaveOneOutRidge(lambda: 0.2, backboneShare: 0.5)
  /// Of the ridge; batches of the softmax are drawn from all classes.
  package var classesPerEpisode = 16
  package var examplesPerEpisode = 96
  /// Of the noise that rows of prompts start with, beside the class token's own start.
  package var startNoise: Float = 0.02
  package var seed: UInt64 = 1

  package init() {}
}

/// The examples that sources are trained on.
package struct SourceTrainingSet: Sendable {
  /// The backbone's features, `[examples, width]`, of length 1.
  package let features: Matrix<Float>
  package let labels: [Int]
  /// Classes of the task that is being learned.
  package let preferred: Set<Int>
  /// For the softmax objective: what was known before this task.
  package let teacher: PromptTeacher?

  package init(
    features: Matrix<Float>, labels: [Int], preferred: Set<Int>, teacher: PromptTeacher? = nil
  ) {
    self.features = features
    self.labels = labels
    self.preferred = preferred
    self.teacher = teacher
  }
}

/// What makes features of some examples from parameters, and has a way back: the part of a training that knows what is
/// trained. One worker at a time uses it.
package protocol TrainingChunk: AnyObject {
  /// Features of every group of the examples, `[examples * groups, featureWidth]`, not of length 1.
  func forward(_ parameters: [Float], examples: [Int], yield: () -> Void) -> Matrix<Float>
  /// From the gradient of what `forward` returned last to that of the parameters.
  func backward(_ gradient: Matrix<Float>, yield: () -> Void) -> [Float]
}

/// What is trained: its shape, and as many chunks as a training asks for.
package struct TrainedSource {
  /// Whether each group of features is read for all classes (`true`), or for those of the task alone.
  package let isGlobal: [Bool]
  package let featureWidth: Int
  /// Makes a chunk for so many examples at most.
  package let chunk: (_ capacity: Int) -> any TrainingChunk

  package init(isGlobal: [Bool], featureWidth: Int, chunk: @escaping (_ capacity: Int) -> any TrainingChunk) {
    self.isGlobal = isGlobal
    self.featureWidth = featureWidth
    self.chunk = chunk
  }
}

/// Trains sources of features, all groups together, step by step.
///
/// Results depend on the seed, the examples and the instruction set alone, not on the number of threads: an episode is cut
/// into chunks of a fixed size, and their gradients are added in order. One thread at a time.
package final class SourceTraining {
  /// What training is at between two steps: saved and restored whole, it goes on to the same bits.
  package struct State: Sendable, Equatable {
    package var step = 0
    package var parameters: [Float]
    package var moments: AdamW.State<Float>
    /// T of every group, then its moments.
    package var logScales: [Float]
    package var scaleMoments: AdamW.State<Float>
    /// Rows of the heads that are trained with the sources (`PromptHeads`), then their moments; none before the first
    /// step and without such heads.
    package var headRows: [Float] = []
    package var headMoments = AdamW.State<Float>(count: 0)
    /// The loss of every step that was taken.
    package var losses: [Float] = []
  }

  package struct Report: Sendable {
    package let step: Int
    /// Mean over groups.
    package let loss: Double
    /// Of the examples in the episode, by each group.
    package let correct: [Int]
    package let examples: Int
  }

  package private(set) var state: State
  private let source: TrainedSource
  private let options: SourceTrainingOptions
  private let set: SourceTrainingSet
  private let sampler: any ExampleSampler
  /// Nil when the objective trains none.
  private let headShapes: PromptHeads?
  private let pool: ComputePool
  private let chunks: [Chunk]
  private let optimizer: AdamW

  /// Examples of a chunk.
  private static let chunkSize = 24
  /// Heads and scales do not decay.
  private static let headOptimizer = AdamW(weightDecay: 0)

  /// What one worker at a time uses: the one that has the chunk's index.
  private struct Chunk: @unchecked Sendable { let work: any TrainingChunk }

  /// - Parameter start: the parameters to start from.
  package init(
    _ source: TrainedSource, start: [Float], set: SourceTrainingSet, options: SourceTrainingOptions, pool: ComputePool
  ) {
    self.source = source
    self.options = options
    self.set = set
    self.pool = pool
    switch options.objective {
    case .leaveOneOutRidge:
      sampler = EpisodeSampler(
        labels: set.labels, preferred: set.preferred, classes: options.classesPerEpisode,
        size: options.examplesPerEpisode)
      headShapes = nil
    case .softmax(let objective):
      sampler = BatchSampler(
        labels: set.labels, size: options.examplesPerEpisode, isBalanced: objective.isFewShot)
      headShapes = PromptHeads(isGlobal: source.isGlobal, set: set, width: source.featureWidth)
    }
    let count = max(1, options.examplesPerEpisode.dividedRoundingUp(by: Self.chunkSize) + 1)
    chunks = (0..<count).map { _ in Chunk(work: source.chunk(Self.chunkSize)) }
    optimizer = AdamW(weightDecay: options.weightDecay)
    state = State(
      parameters: start, moments: AdamW.State(count: start.count),
      logScales: headShapes?.startLogScales ?? source.isGlobal.map { _ in 3 },
      scaleMoments: AdamW.State(count: source.isGlobal.count))
  }

  package var isUsable: Bool { sampler.isUsable }
  package var isDone: Bool { state.step >= options.steps }

  /// One step on one episode: two milliseconds at most between calls that let urgent work through. Blocks the caller.
  /// Nil when the step had to be dropped, its loss not being a number.
  package func step() -> Report? {
    // The episode depends on the step and the seed alone, so that a restart needs no generator's state.
    var generator = SeededGenerator(seed: options.seed &* 0x9E37_79B9 &+ UInt64(state.step))
    let episode = sampler.draw(&generator)
    let parts = Self.parts(episode)
    precondition(parts.count <= chunks.count, "an episode larger than was said")
    defer { state.step += 1 }
    guard startHeads() else { return nil }
    let features = forward(parts)
    guard let value = evaluate(episode, features: features) else { return nil }

    let slices = value.gradients
    let gradients = pool.map(parts.count, priority: .background) { [chunks, pool] index in
      chunks[index].work.backward(slices[index]) { pool.yield() }
    }
    var total = [Float](repeating: 0, count: state.parameters.count)
    for gradient in gradients { total.add(gradient) }
    guard GradientClipping.squaredNorm(total).isFinite, GradientClipping.squaredNorm(value.heads).isFinite else {
      return nil
    }
    let rate = LearningRateSchedule.cosine(
      peak: options.learningRate, floor: 0, warmUp: min(options.warmUp, options.steps / 2), total: options.steps
    ).rate(at: state.step)
    var next = state
    if !next.headRows.isEmpty {
      Self.headOptimizer.update(&next.headRows, gradient: value.heads, state: &next.headMoments, learningRate: rate)
    }
    optimizer.update(&next.parameters, gradient: total, state: &next.moments, learningRate: rate)
    Self.headOptimizer.update(&next.logScales, gradient: value.scales, state: &next.scaleMoments, learningRate: rate)
    next.losses.append(Float(value.loss))
    state = next
    return Report(
      step: state.step, loss: value.loss, correct: value.correct, examples: episode.count)
  }

  private static func parts(_ examples: [Int]) -> [[Int]] {
    stride(from: 0, to: examples.count, by: chunkSize).map {
      Array(examples[$0..<min(examples.count, $0 + chunkSize)])
    }
  }

  /// The features of all groups, `[examples * groups, width]` a part; as many parts as there are chunks at most.
  private func forward(_ parts: [[Int]]) -> [Matrix<Float>] {
    let parameters = state.parameters
    return pool.map(parts.count, priority: .background) { [chunks, pool] index in
      chunks[index].work.forward(parameters, examples: parts[index]) { pool.yield() }
    }
  }

  /// Before the first step: rows of the heads, from the features that training starts with. False when they are no
  /// numbers.
  private func startHeads() -> Bool {
    guard let headShapes, state.headRows.isEmpty else { return true }
    let examples = PromptHeads.examplesToStart(set.labels)
    let parts = Self.parts(examples)
    var features: [Float] = []
    for start in stride(from: 0, to: parts.count, by: chunks.count) {
      let some = parts[start..<min(parts.count, start + chunks.count)]
      features += forward(Array(some)).flatMap(\.storage)
    }
    let width = source.featureWidth
    let rows = headShapes.start(
      Matrix(rows: features.count / width, columns: width, storage: features), labels: examples.map { set.labels[$0] })
    guard rows.allSatisfy(\.isFinite) else { return false }
    state.headRows = rows
    state.headMoments = AdamW.State(count: rows.count)
    return true
  }

  /// The heads that were trained with the sources, one a group in their order; none before the first step and
  /// without such heads.
  package var heads: [CosineRows] {
    guard let headShapes, !state.headRows.isEmpty else { return [] }
    return headShapes.shapes.enumerated().map { group, shape in
      CosineRows(
        labels: shape.labels, rows: headShapes.rows(group, in: state.headRows), logScale: state.logScales[group])
    }
  }

  private struct EpisodeValue {
    let loss: Double
    let correct: [Int]
    /// One a chunk, as the passes take them.
    let gradients: [Matrix<Float>]
    let scales: [Float]
    /// By all heads' rows.
    let heads: [Float]
  }

  /// The losses of all groups, added.
  private func evaluate(_ episode: [Int], features: [Matrix<Float>]) -> EpisodeValue? {
    let width = source.featureWidth
    let groups = source.isGlobal.count
    let all = features.flatMap(\.storage)
    var columns: [Int: Int] = [:]
    for example in episode where columns[set.labels[example]] == nil { columns[set.labels[example]] = columns.count }
    // Heads that are trained have rows instead, and read nothing of the backbone.
    let own = set.features.selectingRows(headShapes == nil ? episode : [])
    let backboneKernel = ArcCosineKernel.forward(own.timesTransposed(own))
    var gradient = [Float](repeating: 0, count: all.count)
    var loss = 0.0
    var correct: [Int] = []
    var scales: [Float] = []
    var heads: [Float] = []
    for group in 0..<groups {
      var raw = Matrix<Float>(rows: episode.count, columns: width)
      for row in 0..<episode.count {
        let start = (row * groups + group) * width
        raw.storage.replaceSubrange(row * width..<(row + 1) * width, with: all[start..<start + width])
      }
      let shape = headShapes?.shapes[group]
      let head = headShapes.map {
        SourceObjective.Head(
          rows: $0.rows(group, in: state.headRows), isLocal: $0.shapes[group].isLocal,
          teacherLogits: $0.teacherLogits(episode))
      }
      let labels = episode.map { example in
        shape?.row(of: set.labels[example]) ?? columns[set.labels[example]] ?? 0
      }
      guard
        let value = options.objective.evaluate(
          raw, backboneKernel: backboneKernel, labels: labels, classes: shape?.rows ?? columns.count,
          logScale: state.logScales[group], head: head)
      else { return nil }
      heads += value.rowGradient?.storage ?? []
      loss += value.loss / Double(groups)
      correct.append(value.correct)
      scales.append(value.logScaleGradient)
      for row in 0..<episode.count {
        let start = (row * groups + group) * width
        gradient.replaceSubrange(start..<start + width, with: value.gradient.row(row))
      }
    }
    var slices: [Matrix<Float>] = []
    var start = 0
    for part in features {
      slices.append(
        Matrix(
          rows: part.rows, columns: width, storage: Array(gradient[start..<start + part.storage.count])))
      start += part.storage.count
    }
    return EpisodeValue(loss: loss, correct: correct, gradients: slices, scales: scales, heads: heads)
  }

  /// Goes on from what was saved; false when it is of another shape.
  package func restore(_ saved: State) -> Bool {
    guard saved.parameters.count == state.parameters.count, saved.logScales.count == state.logScales.count,
      saved.moments.firstMoments.count == state.parameters.count,
      saved.scaleMoments.firstMoments.count == state.logScales.count,
      saved.headRows.isEmpty || saved.headRows.count == headShapes?.count,
      saved.headMoments.firstMoments.count == saved.headRows.count
    else { return false }
    state = saved
    return true
  }
}
