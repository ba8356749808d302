/// Gradient descent with momentum, as PyTorch's SGD without Nesterov's variant and without damping: the decay is part of
/// the gradient, and the first step's velocity is its gradient.
package struct StochasticGradientDescent: Sendable, Equatable {
  package var momentum: Double
  package var weightDecay: Double

  package init(momentum: Double = 0.9, weightDecay: Double = 0) {
    self.momentum = momentum
    self.weightDecay = weightDecay
  }

  /// What one tensor remembers between steps.
  package struct State<Scalar: KernelScalar>: Sendable, Equatable {
    /// `[parameters]`.
    package var velocity: [Scalar]

    package init(velocity: [Scalar]) { self.velocity = velocity }

    /// Before the first step.
    package init(count: Int) { velocity = [Scalar](repeating: 0, count: count) }
  }

  /// One step: velocity = momentum velocity + gradient + decay p, then p -= rate velocity.
  @specialized(where Scalar == Float)
  package func update<Scalar: KernelScalar>(
    _ parameters: inout [Scalar], gradient: [Scalar], state: inout State<Scalar>, learningRate: Double
  ) {
    precondition(
      parameters.count == gradient.count && parameters.count == state.velocity.count, "one gradient a parameter")
    let (momentum, decay, rate) = (Scalar(momentum), Scalar(weightDecay), Scalar(learningRate))
    parameters.withUnsafeMutableBufferPointer { p in
      gradient.withUnsafeBufferPointer { g in
        state.velocity.withUnsafeMutableBufferPointer { velocity in
          for index in p.indices {
            velocity[index] = momentum * velocity[index] + g[index] + decay * p[index]
            p[index] -= rate * velocity[index]
          }
        }
      }
    }
  }
}
