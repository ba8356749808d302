import CLModels
import Synchronization
package import Tensor

/// One input of a request.
package enum PredictionInput: Sendable {
  case image([UInt8])
  /// It could not be taken out of the body: why.
  case invalid(String)
}

/// One input's outcome.
package enum Prediction: Sendable {
  case ranked([RankedClass])
  /// It is no image that can be read: why.
  case unreadable(String)
}

/// Answers requests to classify: urgent work on the compute pool, with requests that wait together embedded in one batch.
package final class PredictionService: Sendable {
  /// Why a request was not taken.
  package enum Refusal: Error, Sendable {
    case nothingLearned
    case busy(limit: Int)
    /// More inputs than may ever wait.
    case tooMany(limit: Int)
  }

  /// One request: its inputs may be spread over batches; the last one to be done answers.
  private final class Request: Sendable {
    let model: ServingModel
    let top: Int
    let start = ContinuousClock.now
    private let outcomes: Mutex<(left: Int, list: [Prediction?])>
    private let completion: @Sendable (Int64, [Prediction]) -> Void

    init(_ model: ServingModel, top: Int, count: Int, completion: @escaping @Sendable (Int64, [Prediction]) -> Void) {
      self.model = model
      self.top = top
      self.completion = completion
      outcomes = Mutex((count, Array(repeating: nil, count: count)))
    }

    func finish(_ index: Int, _ outcome: Prediction) {
      let whole = outcomes.withLock { outcomes -> [Prediction]? in
        outcomes.list[index] = outcome
        outcomes.left -= 1
        return outcomes.left == 0 ? outcomes.list.compactMap { $0 } : nil
      }
      if let whole { completion(model.version, whole) }
    }
  }

  private struct Input: Sendable {
    let request: Request
    let index: Int
    let content: PredictionInput
  }

  private struct Queue {
    var waiting: [Input] = []
    /// Inputs that were taken and are not answered yet, the waiting ones included.
    var pending = 0
  }

  private let embedder: Embedder
  private let serving: ServingState
  private let pool: ComputePool
  private let capacity: Int
  private let metrics: PredictionMetrics
  private let queue = Mutex(Queue())

  /// The most images one worker embeds at a time: more would make the first wait for the last.
  private static let batchSize = 4

  package init(
    embedder: Embedder, serving: ServingState, pool: ComputePool, capacity: Int, metrics: PredictionMetrics
  ) {
    self.embedder = embedder
    self.serving = serving
    self.pool = pool
    self.capacity = capacity
    self.metrics = metrics
  }

  /// Inputs that were taken and are not answered yet.
  package var pending: Int { queue.withLock { $0.pending } }

  /// Takes a request's inputs and returns at once. `completion` is called once, on a worker, with the version that
  /// answered and one outcome an input, in their order; all by the same version. `inputs` is not empty.
  package func predict(
    _ inputs: [PredictionInput], top: Int, completion: @escaping @Sendable (Int64, [Prediction]) -> Void
  ) throws(Refusal) {
    guard inputs.count <= capacity else { throw .tooMany(limit: capacity) }
    guard let model = serving.current else { throw .nothingLearned }
    let request = Request(model, top: top, count: inputs.count, completion: completion)
    let taken = queue.withLock { queue in
      guard queue.pending + inputs.count <= capacity else { return false }
      queue.pending += inputs.count
      for (index, input) in inputs.enumerated() {
        queue.waiting.append(Input(request: request, index: index, content: input))
      }
      return true
    }
    guard taken else { throw .busy(limit: capacity) }
    // One closure an input, though a batch takes several: those that find nothing left end at once.
    for _ in inputs { pool.submit(.urgent) { [self] in runBatch() } }
  }

  private func runBatch() {
    let batch = queue.withLock { queue -> [Input] in
      let fairShare = (queue.waiting.count + pool.workers - 1) / pool.workers
      let taken = Array(queue.waiting.prefix(min(Self.batchSize, fairShare)))
      queue.waiting.removeFirst(taken.count)
      return taken
    }
    if batch.isEmpty { return }
    metrics.batchSize.observe(Double(batch.count))
    var images: [RGBImage] = []
    var readable: [Input] = []
    for input in batch {
      switch input.content {
      case .invalid(let reason): answer(input, .unreadable(reason))
      case .image(let bytes):
        do throws(ImageError) {
          images.append(try embedder.prepare(bytes))
          readable.append(input)
        } catch {
          answer(input, .unreadable(error.description))
        }
      }
    }
    for (image, input) in zip(images, readable) {
      // Urgent work lets nothing else through.
      let model = input.request.model
      let row = model.sources.headRow(model.sources.embed(image, embedder: embedder, yield: {}))
      answer(input, .ranked(model.rank(row, top: input.request.top)[0]))
    }
  }

  private func answer(_ input: Input, _ outcome: Prediction) {
    queue.withLock { $0.pending -= 1 }
    switch outcome {
    case .ranked: metrics.answered.increment()
    case .unreadable: metrics.unreadable.increment()
    }
    metrics.seconds.observe((ContinuousClock.now - input.request.start) / .seconds(1))
    input.request.finish(input.index, outcome)
  }
}

/// What predictions count.
package struct PredictionMetrics: Sendable {
  package let answered: Counter
  package let unreadable: Counter
  package let seconds: Histogram
  package let batchSize: Histogram

  package init(_ registry: MetricsRegistry) {
    let inputs = registry.counter(
      "clserver_prediction_inputs_total", "Inputs of prediction requests, by outcome.", labels: ["outcome"])
    answered = inputs["answered"]
    unreadable = inputs["unreadable"]
    seconds = registry.histogram(
      "clserver_prediction_seconds", "Time from taking an input to its answer.", bounds: Histogram.durations)
    batchSize = registry.histogram(
      "clserver_prediction_batch_size", "Inputs embedded together.", bounds: [1, 2, 3, 4])
  }
}
