import CLServer
import Tensor
import Testing

@Test func rowsComeBackInTheOrderAskedFor() {
  let store = FeatureStore()
  store.insert([(7, [1, 2]), (9, [3, 4])])
  #expect(store.matrix([9, 7])?.storage == [3, 4, 1, 2])
}

@Test func aMissingRowGivesNoMatrix() {
  let store = FeatureStore()
  store.insert([(7, [1, 2])])
  #expect(store.matrix([7, 8]) == nil)
  #expect(store.missing([8, 7, 9]) == [8, 9])
}

@Test func aRemovedRowIsReused() {
  let store = FeatureStore()
  store.insert([(1, [1]), (2, [2])])
  store.remove([1])
  store.insert([(3, [3])])
  #expect(store.count == 2)
  #expect(store.matrix([2, 3])?.storage == [2, 3])
}

@Test func aVectorOfAnotherWidthIsIgnored() {
  let store = FeatureStore()
  store.insert([(1, [1, 2])])
  store.insert([(2, [1])])
  #expect(store.count == 1)
}
