import CLServer
import Tensor
import Testing

@Suite struct FeatureLibraryTests {
  private let library: FeatureLibrary = {
    let library = FeatureLibrary()
    library["a"].insert([(exampleID: 1, vector: [1, 2]), (exampleID: 2, vector: [3, 4])])
    library["b"].insert([(exampleID: 1, vector: [5])])
    return library
  }()

  @Test func featuresOfSeveralKeysStandSideBySide() {
    #expect(library.matrix([1], keys: ["a", "b"])?.storage == [1, 2, 5])
    #expect(library.matrix([2, 1], keys: ["a"])?.storage == [3, 4, 1, 2])
    #expect(library.matrix([1, 2], keys: ["a", "b"]) == nil)
    #expect(library.missing([1, 2, 3], keys: ["a", "b"]) == [2, 3])
  }

  @Test func removingForgetsTheExampleUnderEveryKey() {
    library.remove([1])
    #expect(library.missing([1], keys: ["a"]) == [1])
    #expect(library.missing([1], keys: ["b"]) == [1])
    #expect(library.missing([2], keys: ["a"]).isEmpty)
  }

  @Test func keysThatAreNotKeptGo() {
    #expect(library.keep(["a", "c"]) == ["b"])
    #expect(library.missing([1], keys: ["b"]) == [1])
    #expect(library.missing([1], keys: ["a"]).isEmpty)
  }
}
