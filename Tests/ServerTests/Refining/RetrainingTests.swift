import CLServer
import Testing

@Suite struct RetrainingTests {
  @Test func nothingThatIsThereIsTrainedAgain() {
    #expect(Retraining.tasks(of: [1, 2], before: [1, 2], after: [1, 2]) == [])
    #expect(Retraining.tasks(of: [1, 2], before: [], after: []) == [])
    #expect(Retraining.tasks(of: [1, 2], before: [1], after: [1, 2]) == [])
  }

  @Test func everyTaskThatLostASourceIsTrainedAgainInItsOrder() {
    #expect(Retraining.tasks(of: [3, 1, 2], before: [1, 2, 3], after: [1]) == [2, 3])
    #expect(Retraining.tasks(of: [1, 2, 3], before: [1, 2, 3, 3], after: []) == [1, 2, 3])
  }

  @Test func oneOfATasksTwoSourcesIsMissed() {
    #expect(Retraining.tasks(of: [1, 2], before: [1, 2, 1], after: [1, 2]) == [1])
    #expect(Retraining.tasks(of: [1, 2], before: [1, 2, 1], after: [1]) == [1, 2])
  }

  @Test func whereATaskItselfIsGoneTheNewestIsTrained() {
    #expect(Retraining.tasks(of: [1, 2], before: [1, 2, 3, 3], after: [1, 2]) == [2])
    #expect(Retraining.tasks(of: [], before: [3], after: []) == [])
  }
}
