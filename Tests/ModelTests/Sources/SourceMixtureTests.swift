import CLModels
import Tensor
import Testing

private func group(_ task: Int64) -> PromptBank.Group {
  PromptBank.Group(taskID: task, rows: 1, parameters: [Float(task)], examples: [task])
}

private func expert(_ task: Int64) -> ExpertBank.Expert {
  ExpertBank.Expert(taskID: task, heads: 1, feature: .own, parameters: [Float(task)], examples: [task, 10 * task])
}

@Suite struct SourceMixtureTests {
  private let bank = SourceBank(
    prompts: PromptBank(isDeep: true, tasks: [group(1), group(2)], global: group(2)),
    experts: ExpertBank(blocks: 1, experts: [expert(2), expert(3)]))
  private let widths = [10, 10, 10, 10, 4, 6]
  private let tasksOnly = SourceBank(
    prompts: PromptBank(isDeep: true, tasks: [group(1)]), experts: ExpertBank(blocks: 1))
  private let nothing = SourceBank(prompts: PromptBank(isDeep: true), experts: ExpertBank(blocks: 1))

  @Test func sourcesAreTheBackboneTheTasksAndTheGlobalGroup() {
    let all = SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25)
    #expect(all.sources(of: bank) == [0, 1, 2, 3])
    let kernels = all.kernels(of: bank, widths: widths)
    #expect(kernels.parts.map(\.columns) == [0..<10, 10..<30, 30..<40])
    #expect(kernels.parts.map(\.weight) == [0.5, 0.25, 0.25])
    #expect(SourceMixture(backbone: 0, tasks: 0, global: 1).sources(of: bank) == [3])
    #expect(SourceMixture(backbone: 0.5, experts: 0.5).sources(of: bank) == [0, 4, 5])
    #expect(
      SourceMixture(backbone: 0.5, experts: 0.5).kernels(of: bank, widths: widths).parts.map(\.columns)
        == [0..<10, 10..<20])
    #expect(SourceMixture(backbone: 0, experts: 1).limited(to: tasksOnly) == .backboneOnly)
    #expect(SourceMixture.backboneOnly.kernels(of: bank, widths: widths) == FeatureMixture(width: 10))
  }

  @Test func aBankThatLacksASourceLeavesTheRest() {
    let mixture = SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25)
    #expect(mixture.limited(to: tasksOnly) == SourceMixture(backbone: 2 / 3, tasks: 1 / 3, global: 0))
    #expect(mixture.limited(to: nothing) == .backboneOnly)
    #expect(SourceMixture(backbone: 0, tasks: 0, global: 1).limited(to: tasksOnly) == .backboneOnly)
  }

  @Test func theSoftmaxReadsTheGlobalGroupOrIsNotThere() throws {
    #expect(SourceMixture.softmax.limited(to: bank) == .softmax)
    #expect(SourceMixture.softmax.limited(to: tasksOnly) == .backboneOnly)
    #expect(SourceMixture.softmax.sources(of: bank) == [3])
    #expect(SourceMixture.softmax.name == "global, softmax")
  }

  @Test func theReadOutDecidesWhatHeadIsFitted() throws {
    let rows = Matrix<Float>([[1, 0.1], [0.9, 0], [0, 1], [0.1, 0.9]])
    let data = LabelledFeatures(
      features: rows, labels: [0, 0, 1, 1], classCount: 2, mixture: FeatureMixture(width: 2))
    let softmax = try SourceMixture.softmax.fit(data, options: ClosedFormOptions(), pool: nil)
    let ridge = try SourceMixture(backbone: 0, tasks: 0, global: 1).fit(data, options: ClosedFormOptions(), pool: nil)
    #expect(softmax.head is CosineSoftmaxHead)
    #expect(ridge.head is KernelRidgeHead)
    for fitted in [softmax, ridge] {
      let scores = fitted.head.scores(rows)
      #expect((0..<4).map { scores.columnOfLargest(inRow: $0) } == [0, 0, 1, 1])
    }
  }

  /// Prompts tell the first two classes from the last two, experts the even ones from the odd ones.
  @Test func oneHeadReadsPromptsAndExperts() throws {
    let both = SourceMixture(backbone: 0, global: 0.5, experts: 0.5)
    let kernels = both.kernels(of: bank, widths: [9, 9, 9, 2, 1, 1])
    #expect(kernels.parts.map(\.columns) == [0..<2, 2..<4])
    let rows = Matrix<Float>(
      (0..<8).map { index in
        let (prompt, expert): (Float, Float) = (index % 4 < 2 ? 1 : 0, index % 2 == 0 ? 1 : 0)
        let noise = Float(index) / 100
        return [prompt, 1 - prompt + noise, expert, 1 - expert + noise]
      })
    let labels = (0..<8).map { $0 % 4 }
    func right(_ mixture: FeatureMixture) throws -> Int {
      let data = LabelledFeatures(features: rows, labels: labels, classCount: 4, mixture: mixture)
      let scores = try both.fit(data, options: ClosedFormOptions(), pool: nil).head.scores(rows)
      return labels.indices.count { scores.columnOfLargest(inRow: $0) == labels[$0] }
    }
    #expect(try right(kernels) == 8)
    #expect(try right(FeatureMixture([.init(columns: 0..<2, weight: 1)])) < 8)
    #expect(try right(FeatureMixture([.init(columns: 2..<4, weight: 1)])) < 8)
  }

  @Test func namesTellSourcesAndWeights() {
    #expect(SourceMixture.backboneOnly.name == "backbone")
    #expect(SourceMixture(backbone: 0.5, tasks: 0, global: 0.5).name == "backbone 0.5 + global 0.5")
    #expect(SourceMixture(backbone: 0.5, experts: 0.5).name == "backbone 0.5 + experts 0.5")
    for bank in [bank, tasksOnly, nothing] {
      let candidates = SourceMixture.candidates(of: bank)
      #expect(Set(candidates.map(\.name)).count == candidates.count)
      #expect(candidates[0] == .backboneOnly && candidates.allSatisfy { abs($0.weights.reduce(0, +) - 1) < 1e-6 })
    }
    #expect(SourceMixture.candidates(of: nothing) == [.backboneOnly])
    // What is measured is what would serve.
    for bank in [bank, tasksOnly, nothing] {
      #expect(SourceMixture.candidates(of: bank).allSatisfy { $0.limited(to: bank) == $0 })
    }
    #expect(!SourceMixture.candidates(of: tasksOnly).contains { $0.uses(.experts) })
  }
}
