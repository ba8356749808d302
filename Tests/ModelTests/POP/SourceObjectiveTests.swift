import CLModels
import Foundation
import Tensor
import Testing

/// The objective as it is defined, in double precision: every example is scored by a ridge fitted again without it.
private struct RefittedObjective {
  let lambda: Double
  let share: Double
  /// `[examples][width]` of the backbone.
  let backbone: [[Double]]
  let labels: [Int]
  let classes: Int

  private static func unit(_ row: [Double]) -> [Double] {
    let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return row.map { $0 / length }
  }

  private static func kernel(_ a: [Double], _ b: [Double]) -> Double {
    let cosine = max(-1, min(1, zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }))
    return ((1 - cosine * cosine).squareRoot() + (Double.pi - acos(cosine)) * cosine) / Double.pi
  }

  /// `[examples][classes]`.
  func scores(_ raw: [[Double]]) -> [[Double]] {
    let own = raw.map(Self.unit)
    let base = backbone.map(Self.unit)
    func mixed(_ i: Int, _ j: Int) -> Double {
      share * Self.kernel(base[i], base[j]) + (1 - share) * Self.kernel(own[i], own[j])
    }
    return labels.indices.map { left in
      let kept = labels.indices.filter { $0 != left }
      let system = kept.map { i in kept.map { j in mixed(i, j) + (i == j ? lambda : 0) } }
      let inverse = Naive.inverse(system)
      let row = kept.map { mixed(left, $0) }
      let weights = kept.indices.map { i in kept.indices.reduce(0.0) { $0 + row[$1] * inverse[$1][i] } }
      return (0..<classes).map { label in
        kept.indices.reduce(0.0) { $0 + weights[$1] * (labels[kept[$1]] == label ? 1 : -1) }
      }
    }
  }

  func loss(_ raw: [[Double]], logScale: Double) -> Double {
    let rows = scores(raw).map { $0.map { exp(logScale) * $0 } }
    return zip(rows, labels).reduce(0) { sum, pair in
      let highest = pair.0.max() ?? 0
      return sum + log(pair.0.reduce(0) { $0 + exp($1 - highest) }) + highest - pair.0[pair.1]
    } / Double(labels.count)
  }
}

@Suite struct SourceObjectiveTests {
  /// One episode: features of the prompts and of the backbone, around their classes' directions.
  struct Episode {
    let raw: Matrix<Float>
    let backbone: Matrix<Float>
    let labels: [Int]
    let classes: Int

    init(classes: Int, each: Int, width: Int, noise: Double = 1, seed: UInt64) {
      let raw = clusteredExamples(classes: classes, perClass: [each], width: width, noise: noise, seed: seed)
      let backbone = clusteredExamples(classes: classes, perClass: [each], width: 7, noise: noise, seed: seed &+ 9)
      // Not of length 1, as the passes give them.
      self.raw = raw.features.mapElements { 3 * $0 }
      self.backbone = backbone.features
      labels = raw.labels
      self.classes = classes
    }

    var backboneKernel: Matrix<Float> { ArcCosineKernel.forward(backbone.timesTransposed(backbone)) }

    func value(_ objective: SourceObjective, logScale: Float, _ raw: Matrix<Float>? = nil) -> SourceObjective.Value? {
      objective.evaluate(
        raw ?? self.raw, backboneKernel: backboneKernel, labels: labels, classes: classes, logScale: logScale)
    }

    fileprivate func refitted(lambda: Double, share: Double) -> RefittedObjective {
      RefittedObjective(
        lambda: lambda, share: share, backbone: (0..<labels.count).map { backbone.row($0).map(Double.init) },
        labels: labels, classes: classes)
    }
  }

  static func rows(_ matrix: Matrix<Float>) -> [[Double]] {
    (0..<matrix.rows).map { matrix.row($0).map(Double.init) }
  }

  /// Scores in single precision times exp(3).
  static let lossTolerance = 1e-3

  @Test(arguments: [(2, 2, 3), (3, 4, 6), (4, 3, 11)], [(0.2, 0.5), (0.1, 0.0), (0.3, 0.9)])
  func isTheLossOfRefittingWithoutEveryExample(shape: (Int, Int, Int), settings: (lambda: Double, share: Double)) throws
  {
    let episode = Episode(classes: shape.0, each: shape.1, width: shape.2, seed: 3)
    let reference = episode.refitted(lambda: settings.lambda, share: settings.share)
    let objective = SourceObjective.leaveOneOutRidge(
      lambda: Float(settings.lambda), backboneShare: Float(settings.share))
    let value = try #require(episode.value(objective, logScale: 3))
    let raw = Self.rows(episode.raw)
    #expect(abs(value.loss - reference.loss(raw, logScale: 3)) < Self.lossTolerance)
    let correct = zip(reference.scores(raw), episode.labels).count { scores, label in
      scores.indices.allSatisfy { $0 == label || scores[$0] < scores[label] }
    }
    #expect(value.correct == correct)
  }

  /// Of a gradient in single precision, through a kernel's inverse.
  static let closest = 0.99999
  static let furthest = 5e-3

  @Test(arguments: [(2, 2, 3), (3, 4, 6), (4, 3, 11)], [(0.2, 0.5), (0.1, 0.0), (0.3, 0.9)])
  func gradientsAreTheDifferences(shape: (Int, Int, Int), settings: (lambda: Double, share: Double)) throws {
    let episode = Episode(classes: shape.0, each: shape.1, width: shape.2, seed: 5)
    let reference = episode.refitted(lambda: settings.lambda, share: settings.share)
    let objective = SourceObjective.leaveOneOutRidge(
      lambda: Float(settings.lambda), backboneShare: Float(settings.share))
    let value = try #require(episode.value(objective, logScale: 2))
    var raw = Self.rows(episode.raw)
    let step = 1e-5
    var differences: [Float] = []
    for row in raw.indices {
      for column in raw[row].indices {
        let original = raw[row][column]
        raw[row][column] = original + step
        let above = reference.loss(raw, logScale: 2)
        raw[row][column] = original - step
        differences.append(Float((above - reference.loss(raw, logScale: 2)) / (2 * step)))
        raw[row][column] = original
      }
    }
    #expect(cosine(value.gradient.storage, differences) > Self.closest)
    #expect(relativeDistance(value.gradient.storage, differences) < Self.furthest)
    let slope = (reference.loss(raw, logScale: 2 + step) - reference.loss(raw, logScale: 2 - step)) / (2 * step)
    #expect(abs(Double(value.logScaleGradient) - slope) < Self.furthest * max(0.1, abs(slope)))
  }

  @Test func theBackboneAloneLeavesNothingToLearn() throws {
    let episode = Episode(classes: 3, each: 3, width: 5, seed: 1)
    let value = try #require(episode.value(.leaveOneOutRidge(lambda: 0.2, backboneShare: 1), logScale: 3))
    #expect(value.gradient.storage.allSatisfy { $0 == 0 })
  }

  /// A feature's length says nothing.
  @Test func theGradientIsAcrossTheFeature() throws {
    let episode = Episode(classes: 3, each: 4, width: 6, seed: 2)
    let objective = SourceObjective.leaveOneOutRidge(lambda: 0.2, backboneShare: 0.5)
    let value = try #require(episode.value(objective, logScale: 3))
    for row in 0..<episode.raw.rows {
      #expect(abs(cosine(value.gradient.row(row), episode.raw.row(row))) < 1e-4)
    }
    let longer = try #require(episode.value(objective, logScale: 3, episode.raw.mapElements { 10 * $0 }))
    #expect(abs(longer.loss - value.loss) < Self.lossTolerance)
  }

  @Test func featuresThatAreNoNumbersGiveNoValue() {
    let episode = Episode(classes: 2, each: 3, width: 4, seed: 1)
    let objective = SourceObjective.leaveOneOutRidge(lambda: 0.2, backboneShare: 0.5)
    for bad in [Float.nan, .infinity] {
      var raw = episode.raw
      raw[2, 1] = bad
      #expect(episode.value(objective, logScale: 3, raw) == nil)
    }
    #expect(episode.value(objective, logScale: .nan) == nil)
  }
}
