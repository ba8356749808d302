package import Tensor

/// How a task is trained.
package struct ExpansionOptions: Sendable, Equatable {
  /// Passes over the task's examples and the memory.
  package var epochs = 20
  package var batch = 64
  /// At the peak, which the first epoch rises to; from there it falls along half a cosine.
  package var learningRate = 1e-3
  package var optimizer = AdamW(weightDecay: 0.01)
  /// Passes of the balanced fine-tuning that follows, over as many examples of every class.
  package var tuningEpochs = 20
  package var tuningRate = 5e-4
  package var loss = ExpansionLoss()
  /// Pixels that images are moved by, at most, and whether they are mirrored.
  package var shift = 2
  package var flips = true
  /// Examples of old classes that are kept.
  package var memory = 500

  package init() {}
}
