import CLServer
import Testing

@Suite struct RetrainingTests {
  private func tasks(_ serving: [Int64], _ before: [Int64], _ after: [Int64]) -> [Int64] {
    Retraining.tasks(of: [.init(serving: serving, before: before, after: after)])
  }

  @Test func nothingThatIsThereIsTrainedAgain() {
    #expect(tasks([1, 2], [1, 2], [1, 2]) == [])
    #expect(tasks([1, 2], [], []) == [])
    #expect(tasks([1, 2], [1], [1, 2]) == [])
  }

  @Test func everyTaskThatLostASourceIsTrainedAgainInItsOrder() {
    #expect(tasks([3, 1, 2], [1, 2, 3], [1]) == [2, 3])
    #expect(tasks([1, 2, 3], [1, 2, 3, 3], []) == [1, 2, 3])
  }

  @Test func oneOfATasksTwoSourcesIsMissed() {
    #expect(tasks([1, 2], [1, 2, 1], [1, 2]) == [1])
    #expect(tasks([1, 2], [1, 2, 1], [1]) == [1, 2])
  }

  @Test func kindsComeOneAfterTheOther() {
    let kinds: [Retraining.Kind] = [
      .init(serving: [1, 3], before: [1, 3], after: []), .init(serving: [2, 4], before: [2, 4], after: [2]),
    ]
    #expect(Retraining.tasks(of: kinds) == [1, 3, 4])
  }

  @Test func whereTheTaskItselfIsGoneWhatIsLeftIsReadAgain() {
    #expect(tasks([1, 2], [1, 2, 3, 3], [1, 2]) == [2])
    // Task 3 has no source: it was too small.
    #expect(tasks([1, 3], [1, 2, 2], [1]) == [1])
    #expect(tasks([1, 3], [2], []) == [3])
    #expect(tasks([], [3], []) == [])
    let kinds: [Retraining.Kind] = [
      .init(serving: [1], before: [1, 1], after: [1, 1]), .init(serving: [], before: [2], after: []),
    ]
    #expect(Retraining.tasks(of: kinds) == [1])
  }
}
