import CLModels
import Testing

private func bank(prompts: [Int64], global: Int64? = nil, experts: [Int64]) -> SourceBank {
  func group(_ task: Int64) -> PromptBank.Group {
    PromptBank.Group(taskID: task, rows: 1, parameters: [Float(task)], examples: [task])
  }
  return SourceBank(
    prompts: PromptBank(isDeep: true, tasks: prompts.map(group), global: global.map(group)),
    experts: ExpertBank(
      blocks: 2,
      experts: experts.map {
        ExpertBank.Expert(taskID: $0, heads: 1, feature: .own, parameters: [Float($0)], examples: [10 * $0])
      }))
}

@Suite struct SourceBankTests {
  @Test func sourcesAreTheGroupsAndThenTheExperts() {
    let bank = bank(prompts: [1, 2], global: 2, experts: [3, 4])
    #expect(bank.count == 5)
    #expect(bank.tasks == [1, 2, 2, 3, 4])
    #expect(bank.examples == [1, 2, 30, 40])
  }

  @Test func aRemovalTakesWhatSawItAndWhatReadsThat() {
    let all = bank(prompts: [1, 2], global: 2, experts: [3, 4])
    #expect(all.keeping([1, 2, 30, 40]) == all)
    #expect(all.keeping([2, 30, 40]) == bank(prompts: [2], experts: [3, 4]))
    #expect(all.keeping([1, 2, 40]) == bank(prompts: [1, 2], global: 2, experts: []))
  }

  @Test func aTaskThatIsTrainedAnewElsewhereLeavesNothingThatReadIt() {
    let all = bank(prompts: [1, 2], global: 2, experts: [3, 4, 3])
    #expect(all.dropping(1) == bank(prompts: [2], experts: [3, 4, 3]))
    #expect(all.dropping(4) == bank(prompts: [1, 2], experts: [3]))
    #expect(bank(prompts: [], experts: []).dropping(1).isEmpty)
  }

  @Test func whatTwoBanksHaveInCommonIsOfTheSameTasks() {
    let one = bank(prompts: [1, 2], global: 2, experts: [3, 4, 5])
    #expect(one.common(with: one) == (one, one))
    let less = bank(prompts: [1], experts: [3])
    #expect(one.common(with: less) == (less, less))
    // Later experts read those that are not in both.
    let other = bank(prompts: [1, 2], global: 2, experts: [4, 5])
    #expect(one.common(with: other).0 == bank(prompts: [1, 2], global: 2, experts: []))
    let withoutGlobal = bank(prompts: [1, 2], experts: [3, 4, 5])
    #expect(one.common(with: withoutGlobal) == (withoutGlobal, withoutGlobal))
  }
}
