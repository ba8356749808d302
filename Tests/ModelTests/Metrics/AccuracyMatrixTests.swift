import CLModels
import Testing

private func cell(_ correct: Int, _ total: Int) -> AccuracyMatrix.Cell { Proportion(correct: correct, total: total) }

private func equal(_ a: Double?, _ b: Double) -> Bool { a.map { abs($0 - b) < 1e-12 } ?? false }

@Suite struct AccuracyMatrixTests {
  /// R = .9; .8 .7; .85 .5 1 on 20, 10 and 4 items.
  static let three = AccuracyMatrix(rows: [
    [cell(18, 20)],
    [cell(16, 20), cell(7, 10)],
    [cell(17, 20), cell(5, 10), cell(4, 4)],
  ])

  @Test func figuresEqualTheHandComputedOnes() {
    // (.85 + .5 + 1) / 3
    #expect(equal(Self.three.average.value, 2.35 / 3))
    #expect(Self.three.average.n == 34)
    // (.9 + (.8 + .7) / 2 + 2.35 / 3) / 3
    #expect(equal(Self.three.averageIncremental.value, (0.9 + 0.75 + 2.35 / 3) / 3))
    #expect(Self.three.averageIncremental.n == 20 + 30 + 34)
    // ((max(.9, .8) - .85) + (.7 - .5)) / 2
    #expect(equal(Self.three.forgetting.value, 0.125))
    // ((.85 - .9) + (.5 - .7)) / 2
    #expect(equal(Self.three.backwardTransfer.value, -0.125))
  }

  @Test func forgettingTakesTheBestEarlierAccuracyAndMayBeNegative() {
    let matrix = AccuracyMatrix(rows: [
      [cell(5, 10)], [cell(8, 10), cell(3, 10)], [cell(6, 10), cell(9, 10), cell(1, 10)],
    ])
    // ((.8 - .6) + (.3 - .9)) / 2, and ((.6 - .5) + (.9 - .3)) / 2
    #expect(equal(matrix.forgetting.value, -0.2))
    #expect(equal(matrix.backwardTransfer.value, 0.35))
  }

  @Test func undefinedFiguresAreNilWithAReason() {
    let none = AccuracyMatrix(rows: [])
    let one = AccuracyMatrix(rows: [[cell(3, 4)]])
    let unmeasured = AccuracyMatrix(rows: [[nil], [nil, cell(0, 0)]])
    #expect(none.average.value == nil && none.average.note != nil && none.average.interval == nil)
    #expect(one.average.value == 0.75)
    #expect(one.forgetting.value == nil && one.forgetting.note == "needs two tasks")
    #expect(one.backwardTransfer.value == nil && one.backwardTransfer.note == "needs two tasks")
    for figure in [
      unmeasured.average, unmeasured.averageIncremental, unmeasured.forgetting, unmeasured.backwardTransfer,
    ] {
      #expect(figure.value == nil && figure.note != nil && figure.n == 0)
    }
  }

  @Test func missingCellsAreLeftOut() {
    // Task 1 has no held-out items; task 0 was deleted before the last row.
    let matrix = AccuracyMatrix(rows: [
      [cell(9, 10)], [cell(8, 10), nil], [nil, nil, cell(6, 10)], [nil, nil, cell(5, 10), cell(7, 10)],
    ])
    #expect(equal(matrix.average.value, 0.6))
    #expect(equal(matrix.averageIncremental.value, (0.9 + 0.8 + 0.6 + 0.6) / 4))
    #expect(equal(matrix.forgetting.value, 0.1))
    #expect(equal(matrix.backwardTransfer.value, -0.1))
    // Shorter rows mean the same as missing cells.
    let short = AccuracyMatrix(rows: [[cell(9, 10)], [cell(8, 10)]])
    #expect(equal(short.forgetting.value, 0.1))
  }

  @Test func wilsonIntervalsEqualPublishedValues() throws {
    // Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29.
    for (correct, total, lower, upper) in [
      (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718),
    ] {
      let interval = WilsonInterval(successes: correct, of: total)
      #expect(abs(interval.lower - lower) < 5e-5 && abs(interval.upper - upper) < 5e-5)
    }
    let certain = WilsonInterval(successes: 7, of: 7)
    #expect(certain.upper == 1 && certain.lower < 0.7)
  }

  @Test func theIntervalOfOneTaskIsWilsonsAndOfADifferenceNewcombes() throws {
    let one = AccuracyMatrix(rows: [[cell(15, 148)]])
    let interval = try #require(one.average.interval)
    #expect(abs(interval.lowerBound - 0.0624) < 5e-5 && abs(interval.upperBound - 0.1605) < 5e-5)
    // Newcombe 1998 (two proportions), method 10: 56/70 - 48/80 is 0.2 with 0.0524 to 0.3339.
    let two = AccuracyMatrix(rows: [[cell(56, 70)], [cell(48, 80), cell(1, 1)]])
    let difference = try #require(two.forgetting.interval)
    #expect(abs(difference.lowerBound - 0.0524) < 5e-5 && abs(difference.upperBound - 0.3339) < 5e-5)
  }

  @Test func theIntervalOfAMeanCoversTheTruthAboutAsOftenAsItSays() {
    // Five tasks of 12 items with accuracies .5 to .98, 2,000 draws.
    let truths = [0.5, 0.7, 0.85, 0.95, 0.98]
    let mean = truths.reduce(0, +) / 5
    var state: UInt64 = 1
    func uniform() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) * 0x1p-53
    }
    var covered = 0
    for _ in 0..<2_000 {
      let row = truths.map { truth in cell((0..<12).count { _ in uniform() < truth }, 12) as AccuracyMatrix.Cell? }
      let rows = (0..<5).map { index in index == 4 ? row : [AccuracyMatrix.Cell?]() }
      if AccuracyMatrix(rows: rows).average.interval?.contains(mean) == true { covered += 1 }
    }
    #expect(covered > 1_860 && covered < 1_990)
  }
}
