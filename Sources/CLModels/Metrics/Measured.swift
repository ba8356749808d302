/// A figure with what it rests on.
package struct Measured: Sendable, Equatable {
  /// Nil when it is undefined; `note` then says why.
  package let value: Double?
  /// Held-out answers it was computed from (one image counts once a row of the matrix it appears in).
  package let n: Int
  /// 95 %, nil when the value is.
  package let interval: ClosedRange<Double>?
  package let note: String?

  static func undefined(_ reason: String) -> Measured { Measured(value: nil, n: 0, interval: nil, note: reason) }

  init(value: Double?, n: Int, interval: ClosedRange<Double>?, note: String?) {
    self.value = value
    self.n = n
    self.interval = interval
    self.note = note
  }

  /// One term of a weighted sum of accuracies.
  struct Term {
    let weight: Double
    let proportion: Proportion
    /// Terms of one task are about the same held-out items.
    let task: Int
  }

  /// The weighted sum, with the interval by the method of variance estimates recovery (Zou and Donner 2008; Newcombe 1998
  /// for a difference): each term's distance to its Wilson limit stands for its error, and errors of different tasks add
  /// in squares. Within a task, terms of one sign add as they are, as if their errors were the same (they are about the
  /// same items), and the two signs add in squares, as if independent; both make the interval wider, not narrower.
  init(_ terms: [Term], bounds: ClosedRange<Double>) {
    var value = 0.0
    var n = 0
    // For each task: what its positive and its negative terms may be too high by, and too low by.
    var errors: [Int: (tooHigh: (Double, Double), tooLow: (Double, Double))] = [:]
    for term in terms {
      guard let share = term.proportion.value, let limits = term.proportion.interval else { continue }
      value += term.weight * share
      n += term.proportion.total
      let down = share - limits.lower
      let up = limits.upper - share
      var error = errors[term.task] ?? ((0, 0), (0, 0))
      if term.weight >= 0 {
        error.tooHigh.0 += term.weight * down
        error.tooLow.0 += term.weight * up
      } else {
        error.tooHigh.1 -= term.weight * up
        error.tooLow.1 -= term.weight * down
      }
      errors[term.task] = error
    }
    var below = 0.0
    var above = 0.0
    for task in errors.keys.sorted() {
      guard let error = errors[task] else { continue }
      below += error.tooHigh.0 * error.tooHigh.0 + error.tooHigh.1 * error.tooHigh.1
      above += error.tooLow.0 * error.tooLow.0 + error.tooLow.1 * error.tooLow.1
    }
    let lower = max(bounds.lowerBound, value - below.squareRoot())
    let upper = min(bounds.upperBound, value + above.squareRoot())
    self.init(value: value, n: n, interval: min(lower, upper)...max(lower, upper), note: nil)
  }
}
