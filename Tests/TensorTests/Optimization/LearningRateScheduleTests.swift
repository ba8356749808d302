import Tensor
import Testing

@Suite struct LearningRateScheduleTests {
  typealias Points = [(step: Int, rate: Double)]

  /// 0.6 + 0.4 cos(pi / 4).
  static let quarterOfTheWay = 0.6 + 0.4 * 0.5.squareRoot()

  static let cases: [(LearningRateSchedule, Points)] = [
    (.constant(0.3), [(0, 0.3), (1_000_000, 0.3)]),
    (
      .cosine(peak: 1, floor: 0.2, warmUp: 4, total: 12),
      [(0, 0.25), (1, 0.5), (3, 1), (4, 1), (6, quarterOfTheWay), (8, 0.6), (12, 0.2), (99, 0.2)]
    ),
    (.cosine(peak: 2, floor: 0, warmUp: 0, total: 2), [(0, 2), (1, 1), (2, 0)]),
    (.cosine(peak: 2, floor: 1, warmUp: 3, total: 3), [(2, 2), (3, 1)]),
    (.steps(initial: 8, factor: 0.5, milestones: [20, 10]), [(0, 8), (9, 8), (10, 4), (19, 4), (20, 2), (500, 2)]),
  ]

  @Test(arguments: cases)
  func ratesAtNamedSteps(schedule: LearningRateSchedule, points: Points) {
    for point in points { #expect(abs(schedule.rate(at: point.step) - point.rate) < 1e-15, "step \(point.step)") }
  }
}
