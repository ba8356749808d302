import CLModels
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

  @Test func aVersionThatReadsNothingOfWhatItHasTrainsTheNewestAgain() {
    let kinds: [Retraining.Kind] = [
      .init(serving: [1, 3], before: [1], after: [1]), .init(serving: [2], before: [2], after: [2]),
    ]
    #expect(Retraining.tasks(of: kinds, isUnread: true) == [2])
    #expect(Retraining.tasks(of: [.init(serving: [1], before: [], after: [])], isUnread: true) == [])
  }

  /// The global prompts are of the last task that trained them, which is no loss for the one before.
  @Test func aTaskLosesWhatIsItsOwn() {
    func bank(_ prompts: [Int64], global: Int64?, experts: [Int64]) -> SourceBank {
      func group(_ task: Int64) -> PromptBank.Group {
        PromptBank.Group(taskID: task, rows: 1, parameters: [0], examples: [])
      }
      return SourceBank(
        prompts: PromptBank(isDeep: true, tasks: prompts.map(group), global: global.map(group)),
        experts: ExpertBank(
          blocks: 2,
          experts: experts.map { .init(taskID: $0, heads: 1, feature: .own, parameters: [], examples: []) }))
    }
    let before = bank([1, 2], global: 2, experts: [3])
    #expect(Retraining.losing(from: before, to: bank([1, 2, 4], global: 4, experts: [3])) == [])
    #expect(Retraining.losing(from: before, to: bank([1], global: nil, experts: [])) == [2, 3])
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
