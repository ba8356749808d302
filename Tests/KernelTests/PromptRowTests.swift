import CKernels
import Testing

/// How a task's rows and global rows read, by name: rows of a group read the group; global rows read all rows up to their
/// own and the earlier tokens.
enum Visibility: String, CaseIterable, Sendable {
  case one
  case oneGlobal
  case twoTasks
  case taskAndGlobal
  case fourRows
  case severalGroups
  case twoRowsEach

  var rows: [(reads: Range<Int>, readsEarlier: Bool)] {
    switch self {
    case .one: [(0..<1, false)]
    case .oneGlobal: [(0..<1, true)]
    case .twoTasks: [(0..<1, false), (1..<2, false)]
    case .taskAndGlobal: [(0..<2, false), (0..<2, false), (0..<3, true)]
    case .fourRows: [(0..<1, false), (1..<3, false), (1..<3, false), (0..<4, true)]
    case .severalGroups: [(0..<1, false), (1..<3, false), (1..<3, false), (3..<4, false), (0..<5, true)]
    case .twoRowsEach:
      [(0..<2, false), (0..<2, false), (2..<4, false), (2..<4, false), (0..<6, true), (0..<6, true)]
    }
  }
}

struct PromptRowTests {
  static let variants = vectorVariants + [CK_ISA_SCALAR]

  /// Sums of 64 products of up to 20 leave some 1e-6 in the exponent, times values of up to 6.
  static let ceiling = 1e-5

  static let shapes: [(tokens: Int, earlier: Int, heads: Int, headWidth: Int)] = [
    (1, 0, 1, 8), (15, 3, 2, 16), (16, 16, 3, 24), (17, 1, 2, 64), (101, 0, 1, 64), (101, 20, 2, 8),
  ]

  @Test(arguments: shapes, Visibility.allCases)
  func attentionFollowsDoublePrecision(
    shape: (tokens: Int, earlier: Int, heads: Int, headWidth: Int), visibility: Visibility
  ) {
    let test = PromptAttentionCase(
      tokens: shape.tokens, earlier: shape.earlier, heads: shape.heads, headWidth: shape.headWidth,
      rows: visibility.rows, seed: UInt64(shape.tokens))
    let expected = test.reference()
    for isa in Self.variants {
      let (weights, out) = test.forward(isa)
      #expect(largest(weights, expected.weights) <= Self.ceiling)
      #expect(largest(out, expected.out) <= Self.ceiling)
    }
  }

  @Test(arguments: shapes, Visibility.allCases)
  func whatIsNotReadWeighsNothingAndTheRestOne(
    shape: (tokens: Int, earlier: Int, heads: Int, headWidth: Int), visibility: Visibility
  ) {
    // Scores of other signs and sizes than those read: what is not read must not enter the maximum either.
    let test = PromptAttentionCase(
      tokens: shape.tokens, earlier: shape.earlier, heads: shape.heads, headWidth: shape.headWidth,
      rows: visibility.rows, seed: UInt64(shape.tokens) + 7, scale: 4)
    for isa in Self.variants {
      let weights = test.forward(isa).weights
      for row in 0..<test.rows {
        for head in 0..<test.heads {
          let line = weights.dropFirst((row * test.heads + head) * test.stride).prefix(test.stride).map(Double.init)
          for place in line.indices where !test.reads(row: row, place: place) { #expect(line[place] == 0) }
          #expect(abs(line.reduce(0, +) - 1) <= Self.ceiling)
        }
      }
    }
  }

  /// Of the largest number of the gradient: float sums of up to 130 products.
  static let gradientCeiling = 2e-5

  @Test(
    arguments: [(1, 0, 1, 8), (15, 3, 2, 16), (16, 0, 2, 24), (17, 17, 1, 64), (33, 2, 3, 8)], Visibility.allCases)
  func attentionGradientsAreTheDifferences(shape: (Int, Int, Int, Int), visibility: Visibility) {
    let test = PromptAttentionCase(
      tokens: shape.0, earlier: shape.1, heads: shape.2, headWidth: shape.3, rows: visibility.rows,
      seed: UInt64(shape.0) + 3, scale: 1)
    let expected = test.differences()
    let size = expected.map(abs).max() ?? 0
    for isa in Self.variants {
      #expect(largest(test.backward(isa), expected) <= Self.gradientCeiling * size, "\(isa)")
    }
  }

  /// What old features rest on: a group that later ones join, or that stands elsewhere, comes out with the same bits.
  @Test(arguments: [8, 16, 24, 64])
  func aGroupDoesNotDependOnWhatElseIsInTheCall(headWidth: Int) {
    let whole = PromptAttentionCase(
      tokens: 101, earlier: 20, heads: 3, headWidth: headWidth, rows: Visibility.twoRowsEach.rows)
    let none = FrozenBlock(tokens: 0, heads: 3, headWidth: headWidth, keys: [], values: [])
    for isa in Self.variants {
      let together = whole.forward(isa).out
      for group in [0..<2, 2..<4] {
        let expected = Array(together[group.lowerBound * whole.width..<group.upperBound * whole.width])
        let numbers = group.lowerBound * 3 * whole.width..<group.upperBound * 3 * whole.width
        for earlier in [whole.earlier, none] {
          let alone = PromptAttentionCase(
            frozen: whole.frozen, earlier: earlier, rows: [(0..<2, false), (0..<2, false)],
            projections: Array(whole.projections[numbers]), gradient: [])
          #expect(alone.forward(isa).out == expected, "\(isa), rows \(group)")
        }
      }
    }
  }

  /// The same of a task with many others: more rows than are padded to.
  @Test func manyLaterTasksChangeNoBit() {
    let rows = (0..<40).map { (reads: $0..<$0 + 1, readsEarlier: false) }
    let many = PromptAttentionCase(tokens: 50, earlier: 0, heads: 2, headWidth: 64, rows: rows)
    for isa in Self.variants {
      let together = many.forward(isa).out
      for count in [1, 2, 5, 17, 39] {
        let few = PromptAttentionCase(
          frozen: many.frozen, earlier: many.earlier, rows: Array(rows.prefix(count)),
          projections: Array(many.projections.prefix(count * 3 * many.width)), gradient: [])
        #expect(few.forward(isa).out == Array(together.prefix(count * many.width)))
      }
    }
  }

  /// Scores far apart: weights underflow, nothing overflows.
  @Test func largeScoresStayFinite() {
    for isa in Self.variants {
      let test = PromptAttentionCase(
        tokens: 20, earlier: 3, heads: 1, headWidth: 16, rows: Visibility.taskAndGlobal.rows, scale: 200)
      let (weights, out) = test.forward(isa)
      #expect(weights.allSatisfy { $0 >= 0 && $0 <= 1 })
      #expect(out.allSatisfy { $0.isFinite })
      #expect(test.backward(isa).allSatisfy { $0.isFinite })
    }
  }
}

extension PromptAttentionCase {
  /// Whether a row reads what a place in its weights stands for.
  fileprivate func reads(row: Int, place: Int) -> Bool {
    if place < frozen.padded { return place < frozen.tokens }
    if place < rowsStart { return readsEarlier[row] == 1 && place - frozen.padded < earlier.tokens }
    return (first[row]..<last[row]).contains(Int32(place - rowsStart))
  }
}

/// The largest difference; infinite when a number is none.
func largest(_ values: [Float], _ reference: [Double]) -> Double {
  guard values.count == reference.count else { return .infinity }
  return zip(values, reference).reduce(0) { worst, pair in
    let difference = abs(Double(pair.0) - pair.1)
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}
