package import Tensor

/// Learns tasks one after another with a network that grows: expansion, training with distillation, balanced
/// fine-tuning, and the choice of what is remembered (DNE, Hu et al. 2023). One thread at a time; the pool's workers do the
/// work.
///
/// What it learns depends on the seed and on nothing else: the halves of a batch are added in order.
package final class ExpansionLearner {
  package private(set) var network: ExpandingNetwork<Float>
  package private(set) var memory: ExemplarMemory
  private let options: ExpansionOptions
  private let pool: ComputePool
  private var generator: SeededGenerator
  private var state = State()

  /// What the optimizer remembers, of the newest slice, the heads and the divergence head.
  private struct State {
    var slice = AdamW.State<Float>(count: 0)
    var heads = AdamW.State<Float>(count: 0)
    var divergence = AdamW.State<Float>(count: 0)
  }

  package init(_ shape: NetworkShape, options: ExpansionOptions, seed: UInt64, pool: ComputePool) {
    network = ExpandingNetwork(shape)
    memory = ExemplarMemory(capacity: options.memory)
    self.options = options
    self.pool = pool
    generator = SeededGenerator(seed: seed)
  }

  /// Learns one task.
  ///
  /// - Parameters:
  ///   - task: labels go on from those of earlier tasks.
  ///   - classes: of this task.
  ///   - heads: k; 0 trains the features there are.
  /// - Returns: the mean loss of the first and of the last epoch of training.
  @discardableResult
  package func learn(_ task: LabelledImages, classes: Int, heads k: Int) -> (first: Double, last: Double) {
    let teacher = network.slices.isEmpty ? nil : network
    network.expand(heads: k, classes: classes, &generator)
    var divergence: ClassifierHeads<Float>?
    if k > 0, teacher != nil {
      divergence = ClassifierHeads(width: 0).adding(classes + 1, width: network.width, &generator)
    }
    var examples = task
    examples.append(memory.all)
    let losses = train(
      examples, epochs: options.epochs, peak: options.learningRate, divergence: divergence, teacher: teacher,
      classBlockOnly: false)
    if teacher != nil {
      _ = train(
        balanced(task, classes: classes), epochs: options.tuningEpochs, peak: options.tuningRate, divergence: nil,
        teacher: teacher, classBlockOnly: true)
    }
    memory.add(task, count: classes, features: inBatches(task.images) { $0.tokens($1) })
    return (losses.first ?? 0, losses.last ?? 0)
  }

  /// The class of each image, among all that are known.
  package func predictions(_ images: [[Float]]) -> [Int] {
    let logits = inBatches(images) { $0.logits($1) }
    return (0..<logits.rows).map { logits.columnOfLargest(inRow: $0) }
  }

  // MARK: Training

  /// The memory, and as many examples of each of the task's classes as it has of an old one.
  private func balanced(_ task: LabelledImages, classes: Int) -> LabelledImages {
    let known = memory.classes
    let share = memory.share(classes: known)
    var result = memory.all
    for label in known..<known + classes {
      let members = task.labels.indices.filter { task.labels[$0] == label }
      result.append(task.selecting(members.shuffled(using: &generator).prefix(share)))
    }
    return result
  }

  /// The mean loss of each epoch.
  private func train(
    _ examples: LabelledImages, epochs: Int, peak: Double, divergence: ClassifierHeads<Float>?,
    teacher: ExpandingNetwork<Float>?, classBlockOnly: Bool
  ) -> [Double] {
    let steps = (examples.count + options.batch - 1) / options.batch
    let schedule = LearningRateSchedule.cosine(
      peak: peak, floor: peak / 100, warmUp: classBlockOnly ? 0 : steps, total: steps * epochs)
    var divergence = divergence
    let slice = network.newest
    // The class-attention block comes last.
    let trained =
      (classBlockOnly ? slice.layout["class.token"].range.lowerBound : 0)..<slice.numbers.count
    state.slice = .init(count: trained.count)
    state.heads = .init(count: network.heads.parameters.numbers.count)
    state.divergence = .init(count: divergence?.parameters.numbers.count ?? 0)
    var losses: [Double] = []
    for epoch in 0..<epochs {
      let order = (0..<examples.count).shuffled(using: &generator)
      var sum = 0.0
      for step in 0..<steps {
        let batch = examples.selecting(order[step * options.batch..<min((step + 1) * options.batch, order.count)])
        let shifts = batch.images.map { _ in
          ImageShift(most: options.shift, flips: options.flips, &generator)
        }
        let value = evaluate(batch, shifts: shifts, divergence: divergence, teacher: teacher)
        sum += value.loss * Double(batch.count)
        apply(value, rate: schedule.rate(at: epoch * steps + step), trained: trained, divergence: &divergence)
      }
      losses.append(sum / Double(examples.count))
    }
    return losses
  }

  private struct Gradient {
    var loss: Double
    var slice: [Float]
    var heads: [Float]
    var divergence: [Float]
  }

  /// A batch in two halves, one a worker.
  private func evaluate(
    _ batch: LabelledImages, shifts: [ImageShift], divergence: ClassifierHeads<Float>?,
    teacher: ExpandingNetwork<Float>?
  ) -> Gradient {
    let half = (batch.count + 1) / 2
    let parts = [0..<half, half..<batch.count].filter { !$0.isEmpty }
    let (network, loss) = (network, options.loss)
    let values = pool.map(parts.count, priority: .background) { part in
      let range = parts[part]
      let patches = network.shape.patches(of: Array(batch.images[range]), shifts: Array(shifts[range]))
      return loss.evaluate(
        network, patches: patches, labels: Array(batch.labels[range]), divergence: divergence, teacher: teacher)
    }
    var total = Gradient(loss: 0, slice: [], heads: [], divergence: [])
    for (part, value) in zip(parts, values) {
      let share = Float(part.count) / Float(batch.count)
      total.loss += Double(share * value.loss)
      Self.add(value.slice.numbers, share, to: &total.slice)
      Self.add(value.heads.numbers, share, to: &total.heads)
      Self.add(value.divergence?.numbers ?? [], share, to: &total.divergence)
    }
    return total
  }

  private static func add(_ numbers: [Float], _ factor: Float, to sum: inout [Float]) {
    if sum.isEmpty { sum = [Float](repeating: 0, count: numbers.count) }
    sum.withUnsafeMutableBufferPointer { sum in
      numbers.withUnsafeBufferPointer { numbers in
        for index in numbers.indices { sum[index] += factor * numbers[index] }
      }
    }
  }

  private func apply(
    _ gradient: Gradient, rate: Double, trained: Range<Int>, divergence: inout ClassifierHeads<Float>?
  ) {
    var slice = network.newest
    if trained.count == slice.numbers.count {
      options.optimizer.update(
        &slice.numbers, gradient: gradient.slice, state: &state.slice, learningRate: rate)
    } else {
      var part = Array(slice.numbers[trained])
      options.optimizer.update(
        &part, gradient: Array(gradient.slice[trained]), state: &state.slice, learningRate: rate)
      slice.numbers.replaceSubrange(trained, with: part)
    }
    network.newest = slice
    options.optimizer.update(
      &network.heads.parameters.numbers, gradient: gradient.heads, state: &state.heads, learningRate: rate)
    if var head = divergence {
      options.optimizer.update(
        &head.parameters.numbers, gradient: gradient.divergence, state: &state.divergence, learningRate: rate)
      divergence = head
    }
  }

  /// What the network gives for images as they are, a row an image.
  private func inBatches(
    _ images: [[Float]], _ body: @escaping @Sendable (ExpandingNetwork<Float>, Matrix<Float>) -> Matrix<Float>
  ) -> Matrix<Float> {
    let network = network
    let starts = Array(stride(from: 0, to: images.count, by: options.batch))
    let batch = options.batch
    let parts = pool.map(starts.count, priority: .background) { index in
      let range = starts[index]..<min(starts[index] + batch, images.count)
      return body(network, network.shape.patches(of: Array(images[range])))
    }
    return Matrix(
      rows: images.count, columns: parts.first?.columns ?? 0, storage: parts.flatMap(\.storage))
  }
}
