import CLModels
import CLServer
import Tensor
import Testing

/// Three classes whose features are the axes.
private func model() throws -> ServingModel {
  let features = Matrix<Float>([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
  var options = ClosedFormOptions()
  options.method = .nearestClassMean
  let fitted = try ClosedForm.fit(
    LabelledFeatures(features: features, labels: [0, 1, 2], classCount: 3), options: options, pool: nil)
  let classes = [(10, "apple"), (20, "pear"), (30, "plum")].map { ServingClass(id: $0.0, name: $0.1) }
  return ServingModel(
    version: 4, classes: classes, head: fitted.head, sources: .backbone(key: "test", width: 3), temperature: 1,
    examples: [1, 2, 3])
}

@Test func theNearestClassComesFirstAndProbabilitiesSumToOne() throws {
  let ranked = try model().rank(Matrix([[0, 0.8, 0.6]]), top: 3)[0]
  #expect(ranked.map(\.servingClass.name) == ["pear", "plum", "apple"])
  #expect(abs(ranked.map(\.confidence).reduce(0, +) - 1) < 1e-5)
}

@Test func noMoreThanTopClassesAreListed() throws {
  #expect(try model().rank(Matrix([[1, 0, 0]]), top: 2)[0].count == 2)
}

@Test func aRemovedClassNeverAnswers() throws {
  let ranked = try model().removing(classes: [20], examples: [2]).rank(Matrix([[0, 1, 0]]), top: 5)[0]
  #expect(!ranked.contains { $0.servingClass.id == 20 })
  #expect(abs(ranked.map(\.confidence).reduce(0, +) - 1) < 1e-5)
}

@Test func aRenamedClassAnswersUnderItsNewName() throws {
  let ranked = try model().renaming(10, to: "quince").rank(Matrix([[1, 0, 0]]), top: 1)[0]
  #expect(ranked[0].servingClass.name == "quince")
}

@Test func equalScoresAreOrderedById() throws {
  let ranked = try model().rank(Matrix([[0.6, 0.6, 0.6]]), top: 3)[0]
  #expect(ranked.map(\.servingClass.id) == [10, 20, 30])
}

@Test func aModelWithoutClassesLeftDoesNotAnswer() throws {
  let state = ServingState()
  let whole = try model()
  state.serve(whole)
  state.remove(classes: [10, 20, 30], examples: [])
  #expect(state.current == nil)
  #expect(state.latest != nil)
}

@Test func aRemovalAndANewNameHoldForLaterVersionsToo() throws {
  let state = ServingState()
  state.remove(classes: [20], examples: [])
  state.rename(10, to: "quince")
  state.serve(try model())
  let ranked = try #require(state.current).rank(Matrix([[0.6, 0.6, 0.5]]), top: 3)[0]
  #expect(ranked.map(\.servingClass.name) == ["quince", "plum"])
}
