package struct AccuracyMatrix: Sendable {
  package struct Cell: Sendable { package let correct, total: Int; package init(correct: Int, total: Int) { self.correct = correct; self.total = total }; package var accuracy: Double { Double(correct) / Double(total) } }
  package init(rows: [[Cell?]]) {}
  package var average: Measured { Measured() }
  package var averageIncremental: Measured { Measured() }
  package var forgetting: Measured { Measured() }
  package var backwardTransfer: Measured { Measured() }
}
package struct Measured: Sendable { package var value: Double?; package var n = 0; package var interval: (lowerBound: Double, upperBound: Double)?; package var note: String? }
package struct WilsonInterval { package let lower = 0.0, upper = 1.0; package init(successes: Int, of: Int) {} }
