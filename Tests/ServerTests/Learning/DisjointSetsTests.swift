import CLServer
import Testing

@Test func itemsThatWereNeverJoinedStandAlone() {
  let sets = DisjointSets(count: 3)
  #expect(sets.isDiscrete)
  #expect(sets.labels() == [0, 1, 2])
}

@Test func joiningIsTransitive() {
  var sets = DisjointSets(count: 5)
  sets.join(0, 3)
  sets.join(3, 4)
  sets.join(4, 0)
  #expect(!sets.isDiscrete)
  #expect(sets.labels() == [0, 1, 2, 0, 0])
}

@Test func joiningAnItemWithItselfChangesNothing() {
  var sets = DisjointSets(count: 2)
  sets.join(1, 1)
  #expect(sets.isDiscrete)
}
