import CLModels
import Tensor
import Testing

@Suite struct CalibrationTests {
  /// Labels drawn from softmax(scores / temperature).
  private func drawn(count: Int, classes: Int, temperature: Float, seed: UInt64) -> (Matrix<Float>, [Int]) {
    var generator = SeededGenerator(seed: seed)
    let scores = Matrix<Float>(
      rows: count, columns: classes, storage: (0..<count * classes).map { _ in Float(generator.nextGaussian()) })
    let labels = (0..<count).map { row in
      var rest = Float(generator.nextUniform())
      for (label, probability) in Calibration.probabilities(scores.row(row), temperature: temperature).enumerated() {
        rest -= probability
        if rest < 0 { return label }
      }
      return classes - 1
    }
    return (scores, labels)
  }

  @Test(arguments: [0.05, 0.3, 1, 4] as [Float]) func theTemperatureLabelsWereDrawnWithIsFound(temperature: Float) {
    let (scores, labels) = drawn(count: 4_000, classes: 8, temperature: temperature, seed: 2)
    let found = Calibration.fitTemperature(scores: scores, labels: labels)
    // 4,000 labels fix it to some per cent.
    #expect(abs(found / temperature - 1) < 0.12)
  }

  @Test func confidencesOfAFittedHeadAreCalibrated() throws {
    let all = clusteredExamples(classes: 8, perClass: [260], width: 16, noise: 1.5, seed: 5)
    let training = all.labels.indices.filter { $0 % 260 < 20 }
    let testing = all.labels.indices.filter { $0 % 260 >= 20 }
    let test = all.selecting(testing)
    let fitted = try ClosedForm.fit(
      all.selecting(training), options: ClosedFormOptions(method: .kernelRidge), pool: nil)
    let scores = fitted.head.scores(test.features)
    var bins = [(confidence: Double, right: Double, count: Double)](repeating: (0, 0, 0), count: 10)
    for (row, answer) in answers(scores).enumerated() {
      let confidence = Double(
        Calibration.probabilities(scores.row(row), temperature: fitted.temperature)[answer])
      let bin = min(9, Int(confidence * 10))
      bins[bin].confidence += confidence
      bins[bin].right += answer == test.labels[row] ? 1 : 0
      bins[bin].count += 1
    }
    let error = bins.reduce(0) { $0 + abs($1.confidence - $1.right) } / Double(test.labels.count)
    // Expected calibration error on 1,920 test examples; 160 examples set the temperature.
    #expect(error < 0.05)
  }

  @Test func fewOrNoExamplesGiveAModestTemperature() {
    #expect(Calibration.fitTemperature(scores: Matrix(rows: 0, columns: 3), labels: []) == 1)
    #expect(Calibration.fitTemperature(scores: Matrix([[2]]), labels: [0]) == 1)
    #expect(Calibration.fitTemperature(scores: Matrix([[0, 0, 0]]), labels: [1]) > 0)
    let right = Calibration.fitTemperature(scores: Matrix([[1, -1], [-1, 1]]), labels: [0, 1])
    let confidence = Calibration.probabilities([1, -1], temperature: right)[0]
    #expect(confidence > 0.9 && confidence < 0.9999)
  }

  /// No example can be right without itself, so the scores of the examples by the head that knows them are taken.
  @Test(arguments: ClosedFormMethod.allCases) func oneExampleAClassGivesAModestTemperature(
    method: ClosedFormMethod
  ) throws {
    let data = clusteredExamples(classes: 30, perClass: [1], width: 64, noise: 1, seed: 3)
    let fitted = try ClosedForm.fit(data, options: ClosedFormOptions(method: method), pool: nil)
    let scores = fitted.head.scores(data.features)
    #expect(abs(fitted.temperature / Calibration.defaultTemperature(scores) - 1) < 1e-4)
    for (row, label) in data.labels.enumerated() {
      let confidence = Calibration.probabilities(scores.row(row), temperature: fitted.temperature)[label]
      // The own score stands four temperatures above the mean of 30.
      #expect(confidence > 0.4 && confidence < 0.9)
    }
  }

  @Test func probabilitiesOfExtremeScoresAreFinite() {
    let probabilities = Calibration.probabilities([1e30, -1e30, 0], temperature: 1e-6)
    #expect(probabilities == [1, 0, 0])
  }
}
