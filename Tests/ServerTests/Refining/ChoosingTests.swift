import CLModels
import CLServer
import Testing

/// The loss is the share of wrong answers unless it is said.
private func judged(
  _ rights: String, tasks: [Int64]? = nil, loss: Double? = nil, mixture: SourceMixture = .backboneOnly
) -> LearningService.Judged {
  let isRight = rights.map { $0 == "1" }
  return LearningService.Judged(
    candidate: Refinement.Candidate(
      mixture: mixture, training: "gentle", correct: isRight.count { $0 }, total: isRight.count,
      loss: loss ?? Double(isRight.count { !$0 }) / Double(isRight.count)),
    isRight: isRight, tasks: tasks ?? isRight.map { _ in 1 })
}

@Suite struct ChoosingTests {
  @Test func lossTellsApartWhatAnswersAlike() {
    let all = [judged("1100", loss: 0.9), judged("1100", loss: 0.8), judged("1100", loss: 0.7)]
    #expect(LearningService.choose(all, baseline: 0).index == 2)
    #expect(LearningService.choose([judged("1100", loss: 0.9), judged("1000", loss: 0.1)], baseline: 0).index == nil)
  }

  @Test func theLeastLossWinsAndTheFirstOfEquals() {
    let all = [judged("1100"), judged("1110"), judged("1111"), judged("1111")]
    #expect(LearningService.choose(all, baseline: 0).index == 2)
  }

  @Test func equalsOfWhatIsServedChangeNothing() {
    let (index, reason) = LearningService.choose([judged("1100"), judged("0011")], baseline: 0)
    #expect(index == nil)
    #expect(reason?.contains("served") == true)
  }

  @Test func whatWorsensATaskBeyondChanceIsOut() {
    // Twelve won in the second task, six lost and none won in the first: 6 > 1.96 sqrt(6).
    let tasks = [Int64](repeating: 1, count: 6) + [Int64](repeating: 2, count: 12)
    let plain = judged("111111" + "000000000000", tasks: tasks)
    let other = judged("000000" + "111111111111", tasks: tasks)
    let (index, reason) = LearningService.choose([plain, other], baseline: 0)
    #expect(index == nil)
    #expect(reason?.contains("task") == true)
    // Three lost are chance: 3 < 1.96 sqrt(3).
    let milder = judged("000111" + "111111111111", tasks: tasks)
    #expect(LearningService.choose([plain, other, milder], baseline: 0).index == 2)
  }

  @Test func whatIsServedMayGiveWayToTheBackboneAlone() {
    let all = [judged("1110"), judged("1100"), judged("1000")]
    #expect(LearningService.choose(all, baseline: 1).index == 0)
  }

  @Test func whereTheBackboneServesAloneWhatIsLeftIsTriedAgain() {
    let prompts = PromptBank(
      isDeep: true, tasks: [PromptBank.Group(taskID: 1, rows: 1, parameters: [1], examples: [1])])
    let left = SourceBank(prompts: prompts, experts: ExpertBank(blocks: 1))
    let tried = LearningService.known(.backboneOnly, left)
    #expect(tried == [SourceMixture(backbone: 0.5, tasks: 0.5)] + tried.dropFirst())
    #expect(tried.contains(SourceMixture(backbone: 0, tasks: 1)) && tried.allSatisfy(\.isTrained))
    let served = SourceMixture(backbone: 0.5, tasks: 0.5)
    #expect(LearningService.known(served, left) == [served])
    let nothing = SourceBank(prompts: PromptBank(isDeep: true), experts: ExpertBank(blocks: 1))
    #expect(LearningService.known(.backboneOnly, nothing) == [])
  }

  /// Its loss is low because it was fitted to be.
  @Test func aSoftmaxHasToWinAnswers() {
    let ridge = [judged("11000000", loss: 0.9), judged("11100000", loss: 0.8)]
    // One answer won is one deviation, and not more.
    #expect(
      LearningService.choose(ridge + [judged("11110000", loss: 0.1, mixture: .softmax)], baseline: 0).index == 1)
    #expect(
      LearningService.choose(ridge + [judged("11111000", loss: 0.1, mixture: .softmax)], baseline: 0).index == 2)
    #expect(
      LearningService.choose(ridge + [judged("11111000", loss: 2, mixture: .softmax)], baseline: 0).index == 2)
  }

  @Test func aRidgeTakesTheSoftmaxesPlaceWhereItIsNotBehind() {
    let softmax = judged("11100000", loss: 0.1, mixture: .softmax)
    #expect(LearningService.choose([softmax, judged("11100000", loss: 0.9)], baseline: 0).index == 1)
    #expect(LearningService.choose([softmax, judged("11000000", loss: 0.9)], baseline: 0).index == nil)
  }

  /// Two softmaxes do not help each other, and the ridge with the most answers is a rival too.
  @Test func aSoftmaxHasToWinFromEveryRidge() {
    let ridges = [judged("11000000", loss: 0.9), judged("11100000", loss: 0.7), judged("11111000", loss: 0.8)]
    let softmax = judged("11111100", loss: 0.1, mixture: .softmax)
    #expect(LearningService.choose(ridges + [softmax], baseline: 0).index == 1)
    let strong = judged("11111111", loss: 0.3, mixture: .softmax)
    #expect(LearningService.choose(ridges + [softmax, strong], baseline: 0).index == 4)
  }
}
