package import Tensor

/// A trained cosine head as it is served: exp(T) cos(z, row), z being one source of a feature row.
///
/// With local heads the answer is in probabilities: softmax of those scores, plus the mean over the local heads of their
/// softmax, each put where its classes are; what a local head gives to "not this task" is nobody's. The score is the
/// logarithm of that sum, so that a softmax of the scores gives the sum again, divided by what it adds up to. Whether
/// there are local heads is the switch between the two read-outs.
package struct CosineSoftmaxHead: Head {
  struct Part: Sendable, Equatable {
    /// Where its source is in a feature row.
    let columns: Range<Int>
    /// `[rows, columns.count]`, of length 1; zeros for a class that is not known.
    let rows: Matrix<Float>
    let logScale: Float
    /// The class of each row; of a local head's last row none.
    let classes: [Int]
  }

  let global: Part
  let locals: [Part]
  package let featureWidth: Int

  package var classCount: Int { global.rows.rows }

  /// exp(T) stays a number that can be multiplied.
  static var largestLogScale: Float { 30 }

  /// - Parameters:
  ///   - global: with labels in `0..<classCount`; a class without a row is never the answer.
  ///   - columns: where its source is in a feature row.
  ///   - locals: local heads and where theirs are; none for the global head's answer alone.
  package init(
    global: CosineRows, columns: Range<Int>, locals: [(head: CosineRows, columns: Range<Int>)] = [], classCount: Int,
    featureWidth: Int
  ) {
    precondition(!global.isLocal && locals.allSatisfy(\.head.isLocal), "local heads have a last row without a class")
    var rows = Matrix<Float>(rows: classCount, columns: columns.count)
    for (index, label) in global.labels.enumerated() {
      for column in 0..<columns.count { rows[label, column] = global.rows[index, column] }
    }
    self.global = Self.part(rows, columns: columns, logScale: global.logScale, classes: Array(0..<classCount))
    self.locals = locals.map {
      Self.part($0.head.rows, columns: $0.columns, logScale: $0.head.logScale, classes: $0.head.labels)
    }
    self.featureWidth = featureWidth
    for part in [self.global] + self.locals {
      precondition(part.columns.lowerBound >= 0 && part.columns.upperBound <= featureWidth, "a source within the row")
      precondition(part.rows.columns == part.columns.count, "rows as wide as their source")
      precondition(part.classes.allSatisfy { (0..<classCount).contains($0) }, "a row of another class")
    }
  }

  private static func part(_ rows: Matrix<Float>, columns: Range<Int>, logScale: Float, classes: [Int]) -> Part {
    Part(
      columns: columns, rows: rows.rowsOfUnitLength(),
      logScale: min(max(logScale, -largestLogScale), largestLogScale), classes: classes)
  }

  package func scores(_ features: Matrix<Float>) -> Matrix<Float> {
    precondition(features.columns == featureWidth, "features of another width")
    let scores = logits(global, features)
    guard !locals.isEmpty else { return scores }
    var probabilities = Softmax.forward(scores)
    let share = 1 / Float(locals.count)
    for local in locals {
      let own = Softmax.forward(logits(local, features))
      for row in 0..<own.rows {
        for (column, label) in local.classes.enumerated() { probabilities[row, label] += share * own[row, column] }
      }
    }
    return probabilities.mapElements { Float.logarithm(max($0, .leastNormalMagnitude)) }
  }

  private func logits(_ part: Part, _ features: Matrix<Float>) -> Matrix<Float> {
    let unit = features.rowsOfUnitLength(FeatureMixture([.init(columns: part.columns, weight: 1)]))
    let classes = part.rows.rows
    let scale = Float.exponential(part.logScale)
    var result = Matrix<Float>(rows: unit.rows, columns: classes)
    result.storage.withUnsafeMutableBufferPointer { result in
      unit.storage.withUnsafeBufferPointer { unit in
        part.rows.storage.withUnsafeBufferPointer { rows in
          guard let result = result.baseAddress, let unit = unit.baseAddress, let rows = rows.baseAddress else {
            return
          }
          Float.multiply(
            features.rows, classes, part.columns.count, alpha: scale, unit + part.columns.lowerBound, featureWidth,
            rows, part.columns.count, beta: 0, result, classes)
        }
      }
    }
    for label in 0..<classes where part.rows.row(label).allSatisfy({ $0 == 0 }) {
      for row in 0..<result.rows { result[row, label] = -scale }
    }
    return result
  }
}

// MARK: As bytes

extension CosineSoftmaxHead {
  /// The width of a feature row, how many local heads; then the global head and each local one: its source's first column,
  /// T's bits, its rows; of a local head the classes.
  package func encoded() -> [UInt8] {
    var coder = HeadEncoder(kind: .cosineSoftmax)
    coder.append(UInt64(featureWidth))
    coder.append(UInt64(locals.count))
    Self.append(global, to: &coder)
    for local in locals {
      Self.append(local, to: &coder)
      for label in local.classes { coder.append(UInt64(label)) }
    }
    return coder.bytes
  }

  private static func append(_ part: Part, to coder: inout HeadEncoder) {
    coder.append(UInt64(part.columns.lowerBound))
    coder.append(UInt64(part.logScale.bitPattern))
    coder.append(part.rows)
  }

  init(from decoder: inout HeadDecoder) throws(LearnerError) {
    let width = try decoder.integer()
    let count = try decoder.integer()
    guard width > 0, width <= Int32.max else { throw .unreadable("a feature row has no width") }
    featureWidth = Int(width)
    global = try Self.part(from: &decoder, width: featureWidth, classes: nil)
    var parts: [Part] = []
    // A part is never empty, so that a false count ends at the end of the bytes.
    for _ in 0..<count {
      parts.append(try Self.part(from: &decoder, width: featureWidth, classes: global.rows.rows))
    }
    locals = parts
  }

  private static func part(
    from decoder: inout HeadDecoder, width: Int, classes known: Int?
  ) throws(LearnerError) -> Part {
    let start = try decoder.integer()
    let bits = try decoder.integer()
    let rows = try decoder.matrix()
    guard start <= UInt64(width), rows.columns <= width - Int(start) else {
      throw .unreadable("a source is wider than the features")
    }
    guard let bits = UInt32(exactly: bits), abs(Float(bitPattern: bits)) <= largestLogScale else {
      throw .unreadable("a temperature is out of range")
    }
    var classes = Array(0..<rows.rows)
    if let known {
      classes = []
      for _ in 1..<rows.rows {
        guard let label = Int(exactly: try decoder.integer()), label < known else {
          throw .unreadable("a row is of no class")
        }
        classes.append(label)
      }
      guard Set(classes).count == classes.count else { throw .unreadable("a class has two rows") }
    }
    return Part(
      columns: Int(start)..<Int(start) + rows.columns, rows: rows, logScale: Float(bitPattern: bits), classes: classes)
  }
}
