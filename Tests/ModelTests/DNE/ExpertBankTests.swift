import CLModels
import Tensor
import Testing

private func expert(_ task: Int64, heads: Int = 1) -> ExpertBank.Expert {
  ExpertBank.Expert(
    taskID: task, heads: heads, feature: .own, parameters: [Float(task), 0.5], examples: [10 * task, task])
}

@Suite struct ExpertBankTests {
  private let bank = ExpertBank(blocks: 4, experts: [expert(1), expert(2, heads: 3), expert(3)])

  @Test func bytesReadBack() throws {
    #expect(try ExpertBank(bank.encoded()) == bank)
    #expect(try ExpertBank(ExpertBank(blocks: 2).encoded()) == ExpertBank(blocks: 2))
  }

  /// Every cut, and every changed byte of the head.
  @Test func damagedBytesAreRefusedOrAnotherBank() throws {
    let bytes = bank.encoded()
    for count in bytes.indices {
      #expect(throws: LearnerError.self) { try ExpertBank(Array(bytes[..<count])) }
    }
    #expect(throws: LearnerError.self) { try ExpertBank(bytes + [0]) }
    // 16 bytes, then the first expert's 36: its numbers begin at 52.
    for index in 0..<52 {
      var damaged = bytes
      damaged[index] ^= 0xFF
      let read = try? ExpertBank(damaged)
      #expect(read != bank)
    }
    var infinite = bytes
    infinite.replaceSubrange(52..<56, with: [0, 0, 0x80, 0x7F])
    #expect { try ExpertBank(infinite) } throws: { "\($0)".contains("finite") }
  }

  @Test func anotherExpertOfTheLastTaskTakesItsPlace() {
    #expect(bank.learning(expert(3, heads: 2)).experts == [expert(1), expert(2, heads: 3), expert(3, heads: 2)])
    #expect(bank.base(for: 3).experts == [expert(1), expert(2, heads: 3)])
  }

  /// Later experts read it.
  @Test func anotherExpertOfAnEarlierTaskStandsBesideIt() {
    #expect(bank.learning(expert(2)).experts.map(\.taskID) == [1, 2, 3, 2])
    #expect(bank.base(for: 2) == bank)
  }

  @Test func anExpertGoesWithItsExamplesAndTakesThoseAlongThatReadIt() {
    #expect(bank.keeping([1, 10, 2, 20, 3, 30]) == bank)
    #expect(bank.keeping([1, 10, 2, 20]).experts == [expert(1), expert(2, heads: 3)])
    #expect(bank.keeping([1, 10, 3, 30]).experts == [expert(1)])
    #expect(bank.keeping([]).isEmpty)
  }

  @Test func aBankIsItsSinglesPutTogether() {
    #expect(ExpertBank(blocks: 4).adding(bank.singles) == bank)
    #expect(ExpertBank(blocks: 4).adding([]) == ExpertBank(blocks: 4))
    #expect(ExpertBank(blocks: 3).adding(bank.singles) == nil)
    #expect(ExpertBank(blocks: 4).adding([bank, nil]) == nil)
  }

  @Test func whatFeaturesDependOnIsInTheStoredForm() {
    let banks = [(4, expert(1)), (4, expert(2)), (4, expert(1, heads: 2)), (3, expert(1))]
    #expect(Set(banks.map { ExpertBank(blocks: $0, experts: [$1]).encoded() }).count == banks.count)
  }

  @Test func aHashIsComputedOnceForAllCopies() {
    let copies = ExpertBank(blocks: 4).adding(bank.singles)?.experts ?? []
    #expect(bank.experts.map { expert in expert.storedHash.value { [UInt8(expert.taskID)] } } == [[1], [2], [3]])
    #expect(copies.map { $0.storedHash.value { [] } } == [[1], [2], [3]])
  }
}
