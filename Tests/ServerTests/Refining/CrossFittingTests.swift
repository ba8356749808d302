import CLModels
import CLServer
import Storage
import Testing

private func example(_ id: Int64, of known: Int64, group: String? = nil, heldOut: Bool = false) -> ExampleRecord {
  ExampleRecord(
    id: id, taskID: known, classID: known, name: nil, group: group, isHeldOut: heldOut,
    sha256: SHA256.hash([UInt8(id)]), fingerprint: nil, createdAt: 0)
}

private func set(_ examples: [ExampleRecord]) -> TrainingSet {
  let classes = Set(examples.map(\.classID)).sorted().map {
    ClassRecord(id: $0, taskID: $0, name: "class \($0)", createdAt: 0, exampleCount: 0, heldOutCount: 0)
  }
  return TrainingSet(classes: classes, examples: examples, included: Set(examples.map(\.id)))
}

private let nothing = SourceBank(prompts: PromptBank(isDeep: true), experts: ExpertBank(blocks: 1))

private func shadow(seen: [Int64]) -> SourceBank {
  var bank = nothing
  bank.prompts = PromptBank(
    isDeep: true, tasks: [.init(taskID: 1, rows: 1, parameters: [0], examples: seen)], global: nil)
  return bank
}

private func shadow(expertOf seen: [Int64]) -> SourceBank {
  var bank = nothing
  bank.experts = ExpertBank(
    blocks: 1, experts: [.init(taskID: 1, heads: 1, feature: .own, parameters: [0], examples: seen)])
  return bank
}

@Suite struct CrossFittingTests {
  @Test func aQuarterOfEachClassJudges() {
    let set = set((1...40).map { example($0, of: $0 % 2) })
    let judges = CrossFitting.judges(of: set, shadow: nothing)
    #expect(judges.count == 10)
    #expect(judges.count { set.training[$0].classID == 0 } == 5)
  }

  @Test func whatTheShadowSawNeverJudges() {
    let set = set((1...40).map { example($0, of: 1) })
    let first = CrossFitting.judges(of: set, shadow: nothing)
    let learned = set.training.indices.filter { !first.contains($0) }.map { set.training[$0].id }
    let again = CrossFitting.judges(of: set, shadow: shadow(seen: learned))
    #expect(again == first)
    #expect(CrossFitting.judges(of: set, shadow: shadow(seen: Array(1...40))).isEmpty)
    #expect(CrossFitting.judges(of: set, shadow: shadow(expertOf: learned)) == first)
  }

  @Test func aGroupJudgesAsAWholeOrNotAtAll() {
    let set = set((1...40).map { example($0, of: 1, group: "speaker \($0 % 8)") })
    let judges = CrossFitting.judges(of: set, shadow: nothing)
    let names = Set(judges.map { set.training[$0].group })
    #expect(names.count == 2)
    #expect(judges.count == 10)
  }

  @Test func aGroupOfSeveralClassesJudgesInAllOfThemOrInNone() {
    let set = set((1...64).map { example($0, of: $0 % 2, group: "drawer \($0 % 32 / 2)") })
    let judges = CrossFitting.judges(of: set, shadow: nothing)
    let names = Set(judges.map { set.training[$0].group })
    #expect(names.count == 4)
    #expect(judges.count == set.training.count { names.contains($0.group) })
    #expect(Set(judges.map { set.training[$0].classID }) == [0, 1])
  }

  @Test func aClassOfElevenKeepsAllForLearning() {
    let set = set((1...11).map { example($0, of: 1) } + (12...23).map { example($0, of: 2) })
    let judges = CrossFitting.judges(of: set, shadow: nothing)
    #expect(judges.map { set.training[$0].classID } == [2, 2, 2])
  }

  @Test func theOrderOfSendingChoosesNobody() {
    let examples = (1...24).map { example($0, of: 1) }
    let one = set(examples)
    let other = set(examples.reversed())
    func ids(_ set: TrainingSet) -> Set<Int64> {
      Set(CrossFitting.judges(of: set, shadow: nothing).map { set.training[$0].id })
    }
    #expect(ids(one) == ids(other))
  }
}
