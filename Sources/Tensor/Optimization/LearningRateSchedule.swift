internal import Glibc

/// The learning rate at each step of training, steps counted from 0.
package enum LearningRateSchedule: Sendable, Equatable {
  case constant(Double)
  /// Rises in equal parts over `warmUp` steps to `peak`, which its last step has, then falls along half a cosine and
  /// reaches `floor` at step `total`, where it stays (Loshchilov and Hutter 2017, without restarts).
  case cosine(peak: Double, floor: Double, warmUp: Int, total: Int)
  /// `initial`, multiplied by `factor` at each of the steps in `milestones`, which need no order.
  case steps(initial: Double, factor: Double, milestones: [Int])

  package func rate(at step: Int) -> Double {
    switch self {
    case .constant(let rate):
      return rate
    case .cosine(let peak, let floor, let warmUp, let total):
      if step < warmUp { return peak * Double(step + 1) / Double(warmUp) }
      guard step < total else { return floor }
      let progress = Double(step - warmUp) / Double(total - warmUp)
      return floor + (peak - floor) * (1 + cos(.pi * progress)) / 2
    case .steps(let initial, let factor, let milestones):
      return milestones.reduce(initial) { rate, milestone in step >= milestone ? rate * factor : rate }
    }
  }
}
