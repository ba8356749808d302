/// How many of a number of held-out answers were right.
package struct Proportion: Sendable, Equatable {
  package let correct: Int
  package let total: Int

  /// `correct` is brought into `0...total`, and `total` to at least 0.
  package init(correct: Int, total: Int) {
    self.total = max(0, total)
    self.correct = min(max(0, correct), self.total)
  }

  /// The accuracy, nil without answers.
  package var value: Double? { total > 0 ? Double(correct) / Double(total) : nil }

  /// Wilson's 95 % score interval, nil without answers.
  package var interval: WilsonInterval? { total > 0 ? WilsonInterval(successes: correct, of: total) : nil }
}

/// Wilson's score interval for a proportion, 95 %: the p whose observed count is not surprising (Wilson 1927). Unlike the
/// normal approximation it stays in [0, 1] and has a width at 0 and 1.
package struct WilsonInterval: Sendable, Equatable {
  package let lower: Double
  package let upper: Double

  /// The standard normal's 97.5 % quantile.
  static let quantile = 1.959963984540054

  /// The interval after `successes` of `total`; without any trial it is all of 0...1.
  package init(successes: Int, of total: Int) {
    precondition(total >= 0 && successes >= 0 && successes <= total, "no proportion")
    guard total > 0 else {
      lower = 0
      upper = 1
      return
    }
    let n = Double(total)
    let p = Double(successes) / n
    let square = Self.quantile * Self.quantile
    let centre = (p + square / (2 * n)) / (1 + square / n)
    let half = Self.quantile / (1 + square / n) * (p * (1 - p) / n + square / (4 * n * n)).squareRoot()
    lower = successes == 0 ? 0 : max(0, centre - half)
    upper = successes == total ? 1 : min(1, centre + half)
  }
}
