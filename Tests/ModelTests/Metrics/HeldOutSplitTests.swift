import CLModels
import Tensor
import Testing

@Suite struct HeldOutSplitTests {
  private func item(
    _ label: Int, _ number: Int, group: String? = nil, cluster: Int? = nil
  ) -> HeldOutSplit.Item {
    var generator = SeededGenerator(seed: UInt64(label * 10_000 + number))
    return HeldOutSplit.Item(
      label: label, group: group, content: (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next()) },
      cluster: cluster)
  }

  private func heldOut(_ items: [HeldOutSplit.Item], _ result: HeldOutSplit.Result, label: Int) -> Int {
    zip(items, result.heldOut).count { $0.label == label && $1 }
  }

  @Test(arguments: [(1, 0), (4, 0), (5, 1), (7, 1), (8, 2), (20, 4), (100, 20)])
  func aFifthIsHeldOutFromFiveExamplesUp(count: Int, expected: Int) {
    let items = (0..<count).map { item(1, $0) }
    let result = HeldOutSplit.assign(items, fraction: 0.2)
    #expect(heldOut(items, result, label: 1) == expected)
    #expect((result.notes[1] == nil) == (expected > 0))
  }

  @Test func neverAllAreHeldOutAndFractionZeroHoldsOutNone() {
    let items = (0..<6).map { item(1, $0) }
    #expect(heldOut(items, HeldOutSplit.assign(items, fraction: 0.999), label: 1) == 5)
    #expect(HeldOutSplit.assign(items, fraction: 0).heldOut.allSatisfy { !$0 })
    #expect(HeldOutSplit.assign([], fraction: 0.2).heldOut.isEmpty)
  }

  @Test func theChoiceDependsOnContentAlone() {
    let items = (0..<60).map { item($0 % 3, $0, group: $0 < 20 ? "speaker \($0 % 7)" : nil) }
    let first = HeldOutSplit.assign(items, fraction: 0.2)
    var generator = SeededGenerator(seed: 1)
    let order = Array(items.indices).shuffled(using: &generator)
    let second = HeldOutSplit.assign(order.map { items[$0] }, fraction: 0.2)
    #expect(order.map { first.heldOut[$0] } == second.heldOut)
  }

  @Test func groupsAndClustersStayOnOneSideAcrossClasses() {
    // 12 speakers say 6 words twice; two near-duplicates join speakers 0 and 1.
    var items: [HeldOutSplit.Item] = []
    for word in 0..<6 {
      for clip in 0..<24 {
        let speaker = clip / 2
        items.append(item(word, clip, group: "speaker \(speaker)", cluster: speaker < 2 && word == 0 ? 9 : nil))
      }
    }
    let result = HeldOutSplit.assign(items, fraction: 0.2)
    var sides: [String: Set<Bool>] = [:]
    for (item, side) in zip(items, result.heldOut) { sides[item.group ?? "", default: []].insert(side) }
    #expect(sides.values.allSatisfy { $0.count == 1 })
    #expect(sides["speaker 0"] == sides["speaker 1"])
    for word in 0..<6 { #expect((2...6).contains(heldOut(items, result, label: word))) }
    #expect(result.notes.isEmpty)
  }

  @Test func identicalExamplesStandOnOneSide() {
    let items = (0..<20).map { item(1, $0 / 2) }
    let result = HeldOutSplit.assign(items, fraction: 0.2)
    for index in stride(from: 0, to: 20, by: 2) { #expect(result.heldOut[index] == result.heldOut[index + 1]) }
    #expect(heldOut(items, result, label: 1) == 4)
  }

  @Test func aClassOfOneGroupHoldsOutNothingAndSaysWhy() {
    let items = (0..<10).map { item(1, $0, group: "burst") } + (0..<10).map { item(2, $0) }
    let result = HeldOutSplit.assign(items, fraction: 0.2)
    #expect(heldOut(items, result, label: 1) == 0)
    #expect(heldOut(items, result, label: 2) == 2)
    #expect(result.notes[1]?.contains("none to train on") == true && result.notes[2] == nil)
  }

  @Test func twoLargeGroupsStillHoldOutOne() {
    let items = (0..<10).map { item(1, $0, group: $0 < 5 ? "a" : "b") }
    let result = HeldOutSplit.assign(items, fraction: 0.2)
    #expect(heldOut(items, result, label: 1) == 5)
  }

  @Test func storedGroupsClustersAndCountsAreKept() {
    let existing = HeldOutSplit.Existing(
      groups: ["anna": .heldOut, "ben": .training], clusters: [4: .heldOut],
      counts: [1: .init(training: 8, heldOut: 2)])
    let items =
      (0..<3).map { item(1, $0, group: "anna") } + (3..<6).map { item(1, $0, group: "ben") }
      + [item(1, 6, cluster: 4)] + (7..<10).map { item(1, $0) }
    let result = HeldOutSplit.assign(items, fraction: 0.2, existing: existing)
    #expect(result.heldOut[0..<3].allSatisfy { $0 })
    #expect(result.heldOut[3..<6].allSatisfy { !$0 })
    #expect(result.heldOut[6])
    // 2 stored and 4 forced of 20: the target of 4 is passed already.
    #expect(result.heldOut[7...].allSatisfy { !$0 })
  }

  @Test func examplesThatBelongWithBothSidesAreTrainedOn() {
    let existing = HeldOutSplit.Existing(
      groups: ["anna": .heldOut], clusters: [4: .training], counts: [1: .init(training: 8, heldOut: 2)])
    let items = [item(1, 0, group: "anna", cluster: 4)]
    let result = HeldOutSplit.assign(items, fraction: 0.2, existing: existing)
    #expect(result.heldOut == [false])
    #expect(result.notes[1]?.contains("both") == true)
  }
}
