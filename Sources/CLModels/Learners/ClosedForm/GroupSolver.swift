internal import Tensor

/// The small systems of leave-one-group-out.
enum GroupSolver {
  /// Solves G z = right, or (I - G) z = right, where G is the Gram matrix of a group's rows, `rows` `[members, columns]`,
  /// and right is `[members, rights]`. In double precision; nil when the system is not positive definite.
  static func solve<Scalar: KernelScalar>(
    members: Int, columns: Int, rows: UnsafeMutablePointer<Scalar>, stride: Int,
    right: UnsafeMutablePointer<Scalar>, rights: Int, identityMinus: Bool
  ) -> [Double]? {
    if members == 1 {
      let square = Double(sumOfSquares(columns, rows))
      let divisor = identityMinus ? 1 - square : square
      guard divisor > 0 else { return nil }
      return (0..<rights).map { Double(right[$0]) / divisor }
    }
    var gram = [Scalar](repeating: 0, count: members * members)
    gram.withUnsafeMutableBufferPointer { gram in
      guard let gram = gram.baseAddress else { return }
      Scalar.multiply(
        members, members, columns, alpha: 1, rows, stride, rows, stride, beta: 0, gram, members)
    }
    var system = gram.map { identityMinus ? -Double($0) : Double($0) }
    if identityMinus {
      for index in 0..<members { system[index * members + index] += 1 }
    }
    var solution = [Double](repeating: 0, count: rights * members)
    for member in 0..<members {
      for column in 0..<rights { solution[column * members + member] = Double(right[member * rights + column]) }
    }
    let blocks = (members + 63) / 64
    var inverses = [Double](repeating: 0, count: blocks * 64 * 64)
    let solved = system.withUnsafeMutableBufferPointer { system in
      inverses.withUnsafeMutableBufferPointer { inverses in
        solution.withUnsafeMutableBufferPointer { solution in
          guard let system = system.baseAddress, let inverses = inverses.baseAddress,
            let solution = solution.baseAddress
          else { return false }
          guard Double.cholesky(members, system, members, inverses: inverses) == 0 else { return false }
          Double.solveLower(rights, members, system, members, inverses: inverses, solution, members)
          Double.solveUpper(rights, members, system, members, inverses: inverses, solution, members)
          return true
        }
      }
    }
    guard solved else { return nil }
    return Matrix(rows: rights, columns: members, storage: solution).transposed().storage
  }

  private static func sumOfSquares<Scalar: KernelScalar>(_ count: Int, _ row: UnsafeMutablePointer<Scalar>) -> Scalar {
    var sum: Scalar = 0
    Scalar.multiply(1, 1, count, alpha: 1, row, count, row, count, beta: 0, &sum, 1)
    return sum
  }
}
