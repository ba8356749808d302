/// The values regularisation is chosen from, and the search among them.
enum LambdaSearch {
  /// Quarter decades from 1e-3 to 10.
  static let grid: [Double] = [
    0.001, 0.00178, 0.00316, 0.00562, 0.01, 0.0178, 0.0316, 0.0562, 0.1, 0.178, 0.316, 0.562, 1, 1.78, 3.16, 5.62, 10,
  ]
  /// Where the search begins, and what is taken when every value is equally good: 0.1, the usual outcome on photographs.
  static let start = 8

  /// The index of the smallest error, for errors that fall and then rise along the grid: steps of two until bracketed,
  /// then the neighbours. The same errors give the same answer; about five evaluations. An error that is nil (the system
  /// could not be solved) counts as infinite. A tie stays where the search stands.
  static func minimum(_ error: (Int) -> Double?) -> Int {
    var known: [Int: Double] = [:]
    func value(_ index: Int) -> Double {
      guard grid.indices.contains(index) else { return .infinity }
      if let old = known[index] { return old }
      let new = error(index) ?? .infinity
      known[index] = new
      return new
    }
    var best = start
    for step in [2, 1] {
      while true {
        let (here, up, down) = (value(best), value(best + step), value(best - step))
        if up < here, up <= down {
          best += step
        } else if down < here {
          best -= step
        } else {
          break
        }
        if step == 1 { break }
      }
    }
    return best
  }
}
