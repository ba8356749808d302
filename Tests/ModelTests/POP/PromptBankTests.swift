import CLModels
import Tensor
import Testing

private func group(_ task: Int64, rows: Int = 1, _ numbers: Int = 6, examples: [Int64] = [1]) -> PromptBank.Group {
  PromptBank.Group(
    taskID: task, rows: rows, parameters: normal(1, numbers, seed: UInt64(task)).storage, examples: examples)
}

@Suite struct PromptBankTests {
  private let bank = PromptBank(
    isDeep: true, tasks: [group(1, examples: [3, 1]), group(2, rows: 2, 12, examples: [4])],
    global: group(2, examples: [1, 3, 4]))

  @Test func bytesGiveTheSameBank() throws {
    #expect(try PromptBank(bank.encoded()) == bank)
    let empty = PromptBank(isDeep: false)
    #expect(try PromptBank(empty.encoded()) == empty)
    #expect(bank.tasks[0].examples == [1, 3])
  }

  @Test func groupsGoWithTheExamplesTheySaw() {
    #expect(bank.keeping([1, 3, 4, 9]) == bank)
    let less = bank.keeping([1, 3])
    #expect(less.tasks.map(\.taskID) == [1])
    #expect(less.global == nil)
    #expect(bank.keeping([]).isEmpty)
  }

  @Test func aTaskThatIsLearnedAgainHasOneGroup() {
    let again = bank.learning(group(1, examples: [7]), global: group(1, examples: [7]))
    #expect(again.tasks.map(\.taskID) == [2, 1])
    #expect(again.tasks[1].examples == [7])
    #expect(again.layout.groups.map(\.readsTasks) == [false, false, true])
  }

  @Test func damagedBytesAreRefused() {
    let bytes = bank.encoded()
    for length in [0, 3, 8, 20, bytes.count - 1] {
      #expect(throws: LearnerError.self) { try PromptBank(Array(bytes.prefix(length))) }
    }
    #expect(throws: LearnerError.self) { try PromptBank(bytes + [0]) }
    // A size that the bytes cannot hold, then a number that is none.
    for (position, value) in [(16 + 4 + 16, UInt8(0xFF)), (16 + 4 + 31, 0x7F), (4, 9), (8, 2)] {
      var changed = bytes
      changed[position] = value
      if let read = try? PromptBank(changed) { #expect(read != bank) }
    }
    var infinite = bytes
    infinite.replaceSubrange(52..<56, with: [0, 0, 0x80, 0x7F])
    #expect(throws: LearnerError.self) { try PromptBank(infinite) }
  }
}

/// Through save, restart and load, and with further tasks: the features of a task never change a bit.
@Suite(
  .enabled(if: RealBackbone.isPresent, "no backbone: run make backbone, or set CLSERVER_BACKBONE"),
  .enabled(if: Photographs.arePresent, "no photographs: install tuxpaint-stamps-default"))
struct RememberedFeatureTests {
  @Test func oldFeaturesSurviveNewTasksAndARestartBitForBit() throws {
    let backbone = try RealBackbone.load(.int8)
    var generator = SeededGenerator(seed: 4)
    func group(_ task: Int64) -> PromptBank.Group {
      PromptBank.Group(
        taskID: task, rows: 1,
        parameters: PromptLayout.start(
          rows: 1, backbone: backbone, isDeep: true, noise: 0.05, generator: &generator), examples: [task])
    }
    let images = Photographs.load(4, backbone.preprocessing)
    var bank = PromptBank(isDeep: true, tasks: [group(1)], global: group(1))
    func features(_ bank: PromptBank, _ backbone: VisionTransformer) -> Matrix<Float> {
      PromptedBackbone(backbone, layout: bank.layout, parameters: bank.parameters).embed(images) {}
    }
    let before = features(bank, backbone)
    bank = bank.learning(group(2), global: group(2)).learning(group(3), global: group(3))
    let restarted = try RealBackbone.load(.int8)
    let after = features(try PromptBank(bank.encoded()), restarted)
    let width = backbone.description.featureWidth
    for row in images.indices {
      #expect(Array(after.row(row).prefix(2 * width)) == Array(before.row(row).prefix(2 * width)))
    }
  }
}
