import Tensor
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

@Test func itemsWithAKeyInCommonAreJoined() {
  var sets = DisjointSets(count: 4)
  var first: [String: Int] = [:]
  for (item, key) in ["a", "b", "a", "a"].enumerated() { sets.join(item, withFirstOf: key, in: &first) }
  #expect(sets.labels() == [0, 1, 0, 0])
}
