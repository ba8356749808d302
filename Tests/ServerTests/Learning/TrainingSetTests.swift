import CLServer
import Storage
import Testing

private func known(_ id: Int64) -> ClassRecord {
  ClassRecord(id: id, taskID: 1, name: "class \(id)", createdAt: 0, exampleCount: 0, heldOutCount: 0)
}

private func example(_ id: Int64, in known: Int64, content: UInt8, group: String? = nil, heldOut: Bool = false)
  -> ExampleRecord
{
  ExampleRecord(
    id: id, taskID: 1, classID: known, name: nil, group: group, isHeldOut: heldOut, sha256: [content], fingerprint: nil,
    createdAt: 0)
}

@Test func examplesAreOrderedByContentNotByArrival() {
  let set = TrainingSet(
    classes: [known(1)], examples: [example(1, in: 1, content: 9), example(2, in: 1, content: 3)], included: [1, 2])
  #expect(set.training.map(\.id) == [2, 1])
}

@Test func aClassWithoutTrainingExamplesHasNoColumn() {
  let set = TrainingSet(
    classes: [known(1), known(2)],
    examples: [example(1, in: 1, content: 1), example(2, in: 2, content: 2, heldOut: true)], included: [1, 2])
  #expect(set.classes.map(\.id) == [1])
  #expect(set.heldOut.isEmpty)
}

@Test func examplesThatAreNotIncludedStayOut() {
  let set = TrainingSet(
    classes: [known(1)], examples: [example(1, in: 1, content: 1), example(2, in: 1, content: 2)], included: [2])
  #expect(set.training.map(\.id) == [2])
}

@Test func namedGroupsLeaveTogetherAcrossClasses() {
  let set = TrainingSet(
    classes: [known(1), known(2)],
    examples: [
      example(1, in: 1, content: 1, group: "ann"), example(2, in: 2, content: 2, group: "ann"),
      example(3, in: 2, content: 3),
    ], included: [1, 2, 3])
  #expect(set.groups == [0, 0, 1])
}

@Test func withoutGroupsThereIsNothingToKeepTogether() {
  let set = TrainingSet(
    classes: [known(1)], examples: [example(1, in: 1, content: 1), example(2, in: 1, content: 2)], included: [1, 2])
  #expect(set.groups == nil)
}

@Test func examplesOfUnknownClassesStayOut() {
  let set = TrainingSet(
    classes: [known(1)], examples: [example(1, in: 1, content: 1), example(2, in: 9, content: 2)], included: [1, 2])
  #expect(set.training.map(\.id) == [1])
}

@Test func anExampleAloneInItsClassCannotBeLeftOut() {
  let set = TrainingSet(
    classes: [known(1), known(2)],
    examples: [
      example(1, in: 1, content: 1), example(2, in: 2, content: 2, group: "ann"),
      example(3, in: 2, content: 3, group: "ann"), example(4, in: 2, content: 4),
    ], included: [1, 2, 3, 4])
  #expect(set.canBeLeftOut == [false, true, true, true])
}
