import CLModels
import Tensor
import Testing

@Suite struct EpisodeSamplerTests {
  /// So many examples of each class, one class after the other.
  static func labels(_ counts: [Int]) -> [Int] {
    counts.enumerated().flatMap { [Int](repeating: $0.offset, count: $0.element) }
  }

  static func draws(_ sampler: EpisodeSampler, _ count: Int, seed: UInt64 = 1) -> [[Int]] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in sampler.draw(&generator) }
  }

  @Test func classesOfOneExampleAreLeftOut() {
    let labels = Self.labels([3, 1, 4, 1, 2])
    let sampler = EpisodeSampler(labels: labels, preferred: [1, 2], classes: 5, size: 30)
    #expect(sampler.isUsable)
    for episode in Self.draws(sampler, 20) {
      #expect(Set(episode.map { labels[$0] }) == [0, 2, 4])
      #expect(episode.count == 9)
    }
  }

  @Test(arguments: [[], [1], [5], [1, 1, 1], [1, 4, 1]])
  func lessThanTwoClassesAreOfNoUse(counts: [Int]) {
    let sampler = EpisodeSampler(labels: Self.labels(counts), preferred: [0], classes: 4, size: 20)
    #expect(!sampler.isUsable)
    var generator = SeededGenerator(seed: 1)
    #expect(sampler.draw(&generator).count <= 5)
  }

  @Test(arguments: [(2, 4), (3, 13), (4, 24), (8, 96), (16, 96), (16, 20), (30, 7), (30, 60)])
  func anEpisodeHasAFewExamplesOfAFewClasses(classes: Int, size: Int) {
    let labels = Self.labels((0..<20).map { 2 + $0 % 9 })
    let sampler = EpisodeSampler(labels: labels, preferred: [0, 1, 2, 3, 4], classes: classes, size: size)
    for episode in Self.draws(sampler, 30) {
      let drawn = episode.map { labels[$0] }
      #expect(episode.count <= size && Set(episode).count == episode.count)
      #expect((2...classes).contains(Set(drawn).count))
      #expect(drawn == drawn.sorted(), "one class after the other")
      // Leaving one out leaves one.
      let sizes = Set(drawn).map { label in drawn.count { $0 == label } }
      #expect(sizes.allSatisfy { $0 >= 2 })
    }
  }

  @Test func examplesOfAClassTakeTurns() {
    let labels = Self.labels([40, 40, 40])
    let sampler = EpisodeSampler(labels: labels, preferred: [], classes: 3, size: 30)
    let drawn = Set(Self.draws(sampler, 40).flatMap { $0 })
    #expect(drawn.count == 120)
  }

  @Test(arguments: [
    // Half where there are enough; where others are too few, more; all of the task's where it has few.
    (own: 10, others: 30, classes: 16, expected: 8), (own: 5, others: 45, classes: 16, expected: 5),
    (own: 10, others: 3, classes: 8, expected: 5), (own: 6, others: 0, classes: 4, expected: 4),
    (own: 0, others: 9, classes: 4, expected: 0), (own: 9, others: 9, classes: 5, expected: 2),
  ])
  func theNewTaskHasHalfOfTheClasses(item: (own: Int, others: Int, classes: Int, expected: Int)) {
    let labels = Self.labels([Int](repeating: 3, count: item.own + item.others))
    let own = Set(item.others..<item.own + item.others)
    let sampler = EpisodeSampler(labels: labels, preferred: own, classes: item.classes, size: 200)
    var seen: Set<Int> = []
    for episode in Self.draws(sampler, 60) {
      let classes = Set(episode.map { labels[$0] })
      #expect(classes.count == min(item.classes, item.own + item.others))
      #expect(classes.intersection(own).count == item.expected)
      seen.formUnion(classes)
    }
    if item.expected > 0 { #expect(seen.isSuperset(of: own)) }
  }

  @Test func drawsDependOnTheGeneratorAlone() {
    let labels = Self.labels([5, 6, 7, 8, 9, 10])
    func sampler() -> EpisodeSampler { EpisodeSampler(labels: labels, preferred: [1, 4], classes: 4, size: 16) }
    #expect(Self.draws(sampler(), 10) == Self.draws(sampler(), 10))
    #expect(Self.draws(sampler(), 10) != Self.draws(sampler(), 10, seed: 2))
  }
}
