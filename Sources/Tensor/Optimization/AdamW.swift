/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2, with the schedule in the learning rate and
/// the decay multiplied by it, as PyTorch does).
///
/// The settings are a value; what one parameter tensor remembers is a `State` its owner keeps, so that tensors with
/// other settings, frozen ones and saved ones need nothing special.
package struct AdamW: Sendable, Equatable {
  package var firstDecay: Double
  package var secondDecay: Double
  package var epsilon: Double
  package var weightDecay: Double

  package init(
    firstDecay: Double = 0.9, secondDecay: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01
  ) {
    self.firstDecay = firstDecay
    self.secondDecay = secondDecay
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// What one tensor remembers between steps. Saved and restored whole, training goes on to the same bits.
  package struct State<Scalar: KernelScalar>: Sendable, Equatable {
    /// Steps taken.
    package var step: Int
    /// Running means of the gradient and of its square, `[parameters]` each.
    package var firstMoments: [Scalar]
    package var secondMoments: [Scalar]

    package init(step: Int, firstMoments: [Scalar], secondMoments: [Scalar]) {
      precondition(firstMoments.count == secondMoments.count, "two moments a parameter")
      self.step = step
      self.firstMoments = firstMoments
      self.secondMoments = secondMoments
    }

    /// Before the first step.
    package init(count: Int) {
      let zeros = [Scalar](repeating: 0, count: count)
      self.init(step: 0, firstMoments: zeros, secondMoments: zeros)
    }
  }

  /// One step: p -= rate decay p, then p -= rate m' / (sqrt(v') + epsilon) with the moments m', v' freed of their bias
  /// towards zero.
  @specialized(where Scalar == Float)
  package func update<Scalar: KernelScalar>(
    _ parameters: inout [Scalar], gradient: [Scalar], state: inout State<Scalar>, learningRate: Double
  ) {
    precondition(
      parameters.count == gradient.count && parameters.count == state.firstMoments.count, "one gradient a parameter")
    state.step += 1
    let firstBias = 1 - Self.power(firstDecay, state.step)
    let secondBias = 1 - Self.power(secondDecay, state.step)
    let (first, second) = (Scalar(firstDecay), Scalar(secondDecay))
    let (firstRest, secondRest) = (Scalar(1 - firstDecay), Scalar(1 - secondDecay))
    let keep = Scalar(1 - learningRate * weightDecay)
    let stepSize = Scalar(learningRate / firstBias)
    let secondScale = Scalar(1 / secondBias.squareRoot())
    let epsilon = Scalar(epsilon)
    parameters.withUnsafeMutableBufferPointer { p in
      gradient.withUnsafeBufferPointer { g in
        state.firstMoments.withUnsafeMutableBufferPointer { m in
          state.secondMoments.withUnsafeMutableBufferPointer { v in
            for index in p.indices {
              m[index] = first * m[index] + firstRest * g[index]
              v[index] = second * v[index] + secondRest * g[index] * g[index]
              p[index] = keep * p[index] - stepSize * m[index] / (v[index].squareRoot() * secondScale + epsilon)
            }
          }
        }
      }
    }
  }

  /// base^exponent by squaring.
  static func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result *= square }
      square *= square
      rest >>= 1
    }
    return result
  }
}
