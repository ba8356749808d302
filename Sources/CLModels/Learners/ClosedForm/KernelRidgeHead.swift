package import Tensor

/// Arc-cosine kernel ridge: the score of class c is `sum_i k(x, x_i) coefficients[c][i]` over the stored examples.
package struct KernelRidgeHead: Head {
  /// `[examples, width]`, each part of the mixture of length 1.
  let examples: Matrix<Float>
  let mixture: FeatureMixture
  /// `[classes, examples]`.
  let coefficients: Matrix<Float>

  package var classCount: Int { coefficients.rows }
  package var featureWidth: Int { examples.columns }

  /// Rows scored at once, so that their kernel with the examples stays in the cache.
  private static var block: Int { 64 }

  package func scores(_ features: Matrix<Float>) -> Matrix<Float> {
    precondition(features.columns == featureWidth, "features of another width")
    let unit = features.rowsOfUnitLength(mixture)
    var result = Matrix<Float>(rows: unit.rows, columns: classCount)
    let count = examples.rows
    var kernel = [Float](repeating: 0, count: min(Self.block, unit.rows) * count)
    for start in stride(from: 0, to: unit.rows, by: Self.block) {
      let rows = min(Self.block, unit.rows - start)
      kernel.withUnsafeMutableBufferPointer { kernel in
        result.storage.withUnsafeMutableBufferPointer { result in
          unit.storage.withUnsafeBufferPointer { unit in
            examples.storage.withUnsafeBufferPointer { examples in
              coefficients.storage.withUnsafeBufferPointer { coefficients in
                guard let kernel = kernel.baseAddress, let result = result.baseAddress, let unit = unit.baseAddress,
                  let examples = examples.baseAddress, let coefficients = coefficients.baseAddress
                else { return }
                let width = featureWidth
                mixture.kernel(
                  unit + start * width, rows: rows, examples, columns: count, width: width, out: kernel, stride: count)
                Float.multiply(
                  rows, classCount, count, alpha: 1, kernel, count, coefficients, count, beta: 0,
                  result + start * classCount, classCount)
              }
            }
          }
        }
      }
    }
    return result
  }

  package func encoded() -> [UInt8] {
    let isWhole = mixture.isWhole(featureWidth)
    var coder = HeadEncoder(kind: isWhole ? .kernelRidge : .mixedKernelRidge)
    if !isWhole { coder.append(mixture.table) }
    coder.append(examples)
    coder.append(coefficients)
    return coder.bytes
  }

  init(examples: Matrix<Float>, mixture: FeatureMixture, coefficients: Matrix<Float>) {
    self.examples = examples
    self.mixture = mixture
    self.coefficients = coefficients
  }

  init(from decoder: inout HeadDecoder) throws(LearnerError) {
    let parts = decoder.kind == .mixedKernelRidge ? try FeatureMixture(table: decoder.matrix()) : nil
    examples = try decoder.matrix()
    coefficients = try decoder.matrix()
    mixture = parts ?? FeatureMixture(width: examples.columns)
    guard mixture.fits(examples.columns) else { throw .unreadable("sources overlap or are wider than the examples") }
    guard examples.rows == coefficients.columns else { throw .unreadable("coefficients do not fit the examples") }
  }
}

extension FeatureMixture {
  /// A row a part: first column, end, weight. Columns below 2^24 are exact as floats.
  fileprivate var table: Matrix<Float> {
    Matrix(parts.map { [Float($0.columns.lowerBound), Float($0.columns.upperBound), $0.weight] })
  }

  fileprivate init(table: Matrix<Float>) throws(LearnerError) {
    guard table.columns == 3 else { throw .unreadable("a source is not three numbers") }
    var parts: [Part] = []
    for row in 0..<table.rows {
      guard let start = Int(exactly: table[row, 0]), let end = Int(exactly: table[row, 1]), start >= 0, start < end,
        table[row, 2] > 0
      else { throw .unreadable("a source has no columns or no weight") }
      parts.append(Part(columns: start..<end, weight: table[row, 2]))
    }
    self.init(parts)
  }
}
