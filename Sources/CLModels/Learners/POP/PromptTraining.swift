package import Tensor

/// How prompts are trained.
package struct PromptTrainingOptions: Sendable, Equatable {
  package var steps = 40
  package var learningRate = 1e-3
  package var objective = PromptObjective.leaveOneOutRidge(lambda: 0.2, backboneShare: 0.5)
  /// Of the ridge; batches of the softmax are drawn from all classes.
  package var classesPerEpisode = 16
  package var examplesPerEpisode = 96
  /// Of the noise that rows start with, beside the class token's own start.
  package var startNoise: Float = 0.02
  package var seed: UInt64 = 1

  package init() {}
}

/// The examples that prompts are trained on.
package struct PromptTrainingSet: Sendable {
  /// The backbone's features, `[examples, width]`, of length 1.
  package let features: Matrix<Float>
  package let labels: [Int]
  /// Classes of the task that is being learned.
  package let preferred: Set<Int>
  /// For the softmax objective: what was known before this task.
  package let teacher: PromptTeacher?
  /// The frozen tokens of an example, and the rows of earlier tasks; any thread.
  package let tokens: @Sendable (Int) -> (frozen: FrozenTokens, earlier: FrozenTokens?)

  package init(
    features: Matrix<Float>, labels: [Int], preferred: Set<Int>, teacher: PromptTeacher? = nil,
    tokens: @escaping @Sendable (Int) -> (frozen: FrozenTokens, earlier: FrozenTokens?)
  ) {
    self.features = features
    self.labels = labels
    self.preferred = preferred
    self.teacher = teacher
    self.tokens = tokens
  }
}

/// Trains the prompts of a layout, all groups together, step by step.
///
/// Results depend on the seed, the examples and the instruction set alone, not on the number of threads: an episode is cut
/// into chunks of a fixed size, and their gradients are added in order. One thread at a time.
package final class PromptTraining {
  /// What training is at between two steps: saved and restored whole, it goes on to the same bits.
  package struct State: Sendable, Equatable {
    package var step = 0
    package var parameters: [Float]
    package var moments: AdamW.State<Float>
    /// T of every group, then its moments.
    package var logScales: [Float]
    package var scaleMoments: AdamW.State<Float>
    /// Rows of the heads that are trained with the prompts (`PromptHeads`), then their moments; none before the first
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
  private let backbone: VisionTransformer
  private let back: TransposedBackbone
  private let layout: PromptLayout
  private let options: PromptTrainingOptions
  private let set: PromptTrainingSet
  private let sampler: any ExampleSampler
  /// Nil when the objective trains none.
  private let headShapes: PromptHeads?
  private let pool: ComputePool
  private let chunks: [Chunk]

  /// Images of a chunk.
  private static let chunkSize = 24
  private static let optimizer = AdamW(weightDecay: 0)

  /// A pass that one worker at a time uses: the one that has the chunk's index.
  private struct Chunk: @unchecked Sendable { let pass: PromptPass }

  /// - Parameters:
  ///   - earlierRows: how many rows `set.tokens` gives of earlier tasks at most.
  package init(
    _ backbone: VisionTransformer, back: TransposedBackbone, layout: PromptLayout, start: [Float],
    set: PromptTrainingSet, earlierRows: Int, options: PromptTrainingOptions, pool: ComputePool
  ) {
    self.backbone = backbone
    self.back = back
    self.layout = layout
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
      headShapes = PromptHeads(layout, set: set, width: backbone.description.featureWidth)
    }
    let count = max(1, options.examplesPerEpisode.dividedRoundingUp(by: Self.chunkSize) + 1)
    chunks = (0..<count).map { _ in
      Chunk(
        pass: PromptPass(
          backbone.parts, layout: layout, earlier: earlierRows, capacity: Self.chunkSize, back: back))
    }
    state = State(
      parameters: start, moments: AdamW.State(count: start.count),
      logScales: headShapes?.startLogScales ?? layout.groups.map { _ in 3 },
      scaleMoments: AdamW.State(count: layout.groups.count))
  }

  /// Rows that start as the class token does, plus noise; offsets of zero.
  package static func start(
    rows: Int, backbone: VisionTransformer, isDeep: Bool, noise: Float, generator: inout SeededGenerator
  ) -> [Float] {
    let token = backbone.classTokenStart
    let description = backbone.description
    var values = [Float](
      repeating: 0,
      count: PromptLayout.parameterCount(
        rows: rows, width: description.width, blocks: description.blocks, isDeep: isDeep))
    for index in 0..<rows * description.width {
      values[index] = token[index % description.width] + noise * Float(generator.nextGaussian())
    }
    return values
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
    let parameters = state.parameters
    let tokens = tokens(parts)
    defer { state.step += 1 }
    guard startHeads() else { return nil }
    let features = forward(tokens)
    guard let value = evaluate(episode, features: features) else { return nil }

    let slices = value.gradients
    let gradients = pool.map(parts.count, priority: .background) { [chunks, pool, back] index in
      chunks[index].pass.backward(
        slices[index], back: back, frozen: tokens[index].map(\.frozen), earlier: tokens[index].compactMap(\.earlier)
      ) { pool.yield() }
    }
    var total = [Float](repeating: 0, count: parameters.count)
    for gradient in gradients {
      total.withUnsafeMutableBufferPointer { total in
        gradient.withUnsafeBufferPointer { gradient in
          for index in total.indices { total[index] += gradient[index] }
        }
      }
    }
    guard GradientClipping.squaredNorm(total).isFinite, GradientClipping.squaredNorm(value.heads).isFinite else {
      return nil
    }
    let rate = LearningRateSchedule.cosine(
      peak: options.learningRate, floor: 0, warmUp: 0, total: options.steps
    ).rate(at: state.step)
    var next = state
    if !next.headRows.isEmpty {
      Self.optimizer.update(&next.headRows, gradient: value.heads, state: &next.headMoments, learningRate: rate)
    }
    Self.optimizer.update(&next.parameters, gradient: total, state: &next.moments, learningRate: rate)
    Self.optimizer.update(&next.logScales, gradient: value.scales, state: &next.scaleMoments, learningRate: rate)
    next.losses.append(Float(value.loss))
    state = next
    return Report(
      step: state.step, loss: value.loss, correct: value.correct, examples: episode.count)
  }

  private typealias Tokens = (frozen: FrozenTokens, earlier: FrozenTokens?)

  private static func parts(_ examples: [Int]) -> [[Int]] {
    stride(from: 0, to: examples.count, by: chunkSize).map {
      Array(examples[$0..<min(examples.count, $0 + chunkSize)])
    }
  }

  private func tokens(_ parts: [[Int]]) -> [[Tokens]] {
    pool.map(parts.count, priority: .background) { [set] index in parts[index].map(set.tokens) }
  }

  /// The features of all groups, `[images * groups, width]` a part; as many parts as there are chunks at most.
  private func forward(_ tokens: [[Tokens]]) -> [Matrix<Float>] {
    let parameters = state.parameters
    return pool.map(tokens.count, priority: .background) { [chunks, pool] index in
      chunks[index].pass.forward(
        parameters, frozen: tokens[index].map(\.frozen), earlier: tokens[index].compactMap(\.earlier)
      ) { pool.yield() }
    }
  }

  /// Before the first step: rows of the heads, from the features that the prompts start with. False when they are no
  /// numbers.
  private func startHeads() -> Bool {
    guard let headShapes, state.headRows.isEmpty else { return true }
    let examples = PromptHeads.examplesToStart(set.labels)
    let parts = Self.parts(examples)
    var features: [Float] = []
    for start in stride(from: 0, to: parts.count, by: chunks.count) {
      let some = parts[start..<min(parts.count, start + chunks.count)]
      features += forward(tokens(Array(some))).flatMap(\.storage)
    }
    let width = backbone.description.featureWidth
    let rows = headShapes.start(
      Matrix(rows: features.count / width, columns: width, storage: features), labels: examples.map { set.labels[$0] })
    guard rows.allSatisfy(\.isFinite) else { return false }
    state.headRows = rows
    state.headMoments = AdamW.State(count: rows.count)
    return true
  }

  /// The heads that were trained with the prompts, one a group in the layout's order; none before the first step and
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
    let width = backbone.description.featureWidth
    let groups = layout.groups.count
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
        PromptObjective.Head(
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
